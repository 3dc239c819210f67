// Targets: kinds of devices, described by validated YAML files. loadTarget takes a target's id and returns its file
// with its operator set. checkModel says whether a model fits: operators, flash and arena in bytes, latency in ms.

export { type Budget, budgetOf, runtimeKernelsOf, simulatedProfile } from './budget.js';
export { type Calibrated, calibrateTarget, type LatencyMeasurement } from './calibrate.js';
export { type CheckOptions, type CheckResult, checkModel, requireFit } from './check.js';
export type { OperatorPlacement } from './cpu-placement.js';
export { status } from './edgetpu/status.js';
export { factsOf, type ModelFacts } from './facts.js';
export { type Estimate, estimateLatency, type LatencyEstimate, operatorLatencies } from './latency.js';
export {
  loadLinkedSizes,
  loadOperatorSet,
  loadShippedTargets,
  loadTarget,
  shippedTargets,
  type Target,
  targetFaults,
} from './load.js';
export { type MappedBuffer, type MemoryMap, memoryMap } from './memory-map.js';
export { type RegisteredOperator, registeredOperators } from './op-resolver.js';
export type { CheckAdvice, CheckReason } from './reasons.js';
export type { RuntimeFlash } from './runtime-flash.js';
export type { Agreement, Flashing, TargetFile } from './schema.js';
export { usbHex, usbIdsOf } from './usb-ids.js';
export type { CheckWarning } from './warnings.js';
