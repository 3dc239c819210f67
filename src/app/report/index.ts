// Renders results as text. Takes the plain results of the stages and returns strings; nothing here prints.

export { adviseReport } from './advise.js';
export { budgetBar } from './bar.js';
export { checkAllReport, checkReport } from './check.js';
export { compareReport } from './compare.js';
export { compiledReport } from './compiled.js';
export { convertReport } from './convert.js';
export { deployReport } from './deploy.js';
export { devicesReport, doctorReport } from './devices.js';
export { fleetReport } from './fleet.js';
export { gateLines } from './gates.js';
export { checkCases, deployCases, gateCases, type JunitCase, junitReport } from './junit.js';
export { measurementLines } from './measurement.js';
export { memoryPlanText, memoryReport } from './memory.js';
export { optimizeReport } from './optimize.js';
export { advisePage } from './pages/advise.js';
export { comparePage } from './pages/compare.js';
export { memoryPage, memoryPlot } from './pages/memory.js';
export { rolloutPage } from './pages/rollout.js';
export { pushReport, storedReport } from './push.js';
export { type Quantized, quantizeDocument, quantizeReport } from './quantize.js';
export { quarantineText, rolloutPlanReport } from './rollout.js';
export { rolloutJunit } from './rollout-junit.js';
export { rolloutMetrics } from './rollout-metrics.js';
export { rolloutMarkdown } from './rollout-report.js';
export { brokerText, rolloutListReport, rolloutStatusReport } from './rollout-status.js';
export { sourceReport } from './source.js';
export {
  bytesText,
  countText,
  devicesText,
  metricText,
  millisecondsText,
  namedText,
  percentText,
  shapeText,
  table,
} from './text.js';
