// Targets: kinds of devices, as YAML files that are validated like code. In goes a target's id; loadTarget gives its
// file with its operator set. checkModel says whether a model fits: operators, flash and arena in bytes, latency in ms.

export { type Budget, budgetOf, runtimeKernelsOf } from './budget.js';
export {
  type CheckOptions,
  type CheckReason,
  type CheckResult,
  type CheckWarning,
  checkModel,
  factsOf,
  type ModelFacts,
  type OperatorPlacement,
  requireFit,
} from './check.js';
export { estimateLatency, type LatencyEstimate, operatorLatencies } from './latency.js';
export { loadShippedTargets, loadTarget, shippedTargets, type Target } from './load.js';
export type { Agreement, TargetFile } from './schema.js';
export { type TargetFault, validateTarget } from './validate.js';
