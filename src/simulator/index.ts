// The simulator. An Interpreter takes a model and runs samples of raw tensors, with the integer bits of a named kernel
// profile. arenaOf predicts the RAM that the device's interpreter needs, in bytes.
export { arenaBytesOf } from './arena/alignment.js';
export { insertPlaced, lowestGap, type PlacedBytes, type PlannedBuffer } from './arena/greedy.js';
export { type Arena, arenaOf } from './arena/index.js';
export { onlinePlanned, withOfflinePlan } from './arena/offline-plan.js';
export { roundHalfAway, roundHalfEven } from './arithmetic/fixed-point.js';
export {
  defaultKernelProfile,
  type KernelProfile,
  kernelProfileNames,
  kernelProfiles,
  type ProfileDifference,
  profileDifferences,
} from './arithmetic/profile.js';
export { type Extremes, extremesOf } from './extremes.js';
export { fastKernels } from './fast/index.js';
export { buildGraph } from './graph.js';
export {
  bytesOf,
  Interpreter,
  type InterpreterOptions,
  inputsAndOutputs,
  type OperatorHook,
  type TensorInfo,
} from './interpreter.js';
export { type Layer, layersOf } from './layer.js';
export {
  type BrokenLimit,
  kernelRefusal,
  limitsBroken,
  profileThatTakes,
  type Runtime,
  runtimeNames,
  tflmTypes,
  weightsRefusal,
} from './limits/index.js';
export { elementsOf } from './operands.js';
export { float32Max } from './operators/activation.js';
export { operatorFamilies } from './operators/index.js';
export {
  type ElementArray,
  type Operand,
  type RuntimeKernels,
  referenceKernels,
  type Work,
} from './operators/operator.js';
export { operatorSources } from './operators/sources.js';
export { type DescribedTensor, outputShapesOf } from './output-shapes.js';
export { type OverflowRisk, overflowRisks } from './overflow.js';
export { type OperatorProfile, profileOperators } from './profile.js';
export { resolveShapes } from './resolve-shapes.js';
export { subgraphOfSignature } from './signature.js';
export {
  calledSubgraphs,
  isStateful,
  lastingOperators,
  listOperators,
  type MissingOperator,
  missingOperators,
  refuseCompiled,
  refuseUnsupported,
  simulates,
} from './subgraphs.js';
export { workOf } from './work.js';
