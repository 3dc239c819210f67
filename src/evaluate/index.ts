// Evaluation. Takes a runner (host simulator or device) and a dataset in real values; returns the dataset's metric,
// latencies in milliseconds with their basis, and the confusion matrix.

export { type BatchOptions, type BatchResult, interleave, runBatch } from './batch.js';
export { type CompareOptions, type Comparison, compare, type TensorComparison } from './compare.js';
export { matchInputs, requireNumbers, toModelInput, toRealValues } from './convert.js';
export type { Diagnosis, ErrorCause } from './diagnosis.js';
export { type EvaluateOptions, type Evaluation, evaluate, evaluateScored } from './evaluate.js';
export {
  type Allowance,
  allowedDrop,
  costGates,
  dropGate,
  dropOf,
  type GateResult,
  type Limits,
  minGate,
  requireGates,
  type Scored,
} from './gates.js';
export { allowanceForm, minimumForm, parseAllowance, parseMinimum } from './limit-text.js';
export { type OutputActivation, outputActivationsOf, type RelevantEnds, relevantEnds } from './logits.js';
export { memoizeRunner } from './memoize-runner.js';
export { areaUnderRoc, argMax, type Confusion, type Distribution, distributionOf, inTopK } from './metrics.js';
export { foldCount, Reference, type SignatureReference, Sqnr } from './reference.js';
export {
  hostRunner,
  type LatencyBasis,
  type Runner,
  type RunnerState,
  type RunResult,
  type SimulationOptions,
  splitOutputs,
} from './runner.js';
export { type ThreadedRunner, threadedRunner } from './threads.js';
export { Tracer } from './trace.js';
export { dataWarnings, modelWarnings, stateWarnings } from './warnings.js';
