// The library: the same functions that the command line calls, stage by stage.
//
//   readModel -> optimize -> calibrate -> planQuantization -> applyPlan   (or quantize, which does all of these)
//   checkModel, suggestionsFor, planMemory, Interpreter, evaluate            on this host
//   resolverCode, cArray, uf2Image, runCompiler                           for firmware, for the Edge TPU
//   buildSlotImage -> openDevice -> push -> DeviceClient.runner           on a device
//   deploy                                                                all of it
//   readPlan -> beginRollout -> leadRollout -> summarize                  on a fleet at a broker
//
// Nothing here prints; progress comes through callbacks, and every long call takes an AbortSignal.

export { type DeployOptions, type DeployResult, deploy, type Project, readProject } from './app/deploy.js';
export { type Inspection, inspect } from './app/inspect.js';
export { AtollError, type ErrorCode, errorTable } from './base/errors.js';
export { type Dataset, openDataset, openDatasets } from './data/index.js';
export { buildSlotImage, decodeSlotImage } from './devices/bundle/index.js';
export { DeviceClient, type PushOptions, type PushResult, push } from './devices/client/index.js';
export {
  type BrokerAddress,
  type BrokerConnection,
  connectToBroker,
  parseBrokerAddress,
  startBroker,
} from './devices/mqtt/index.js';
export { openDevice } from './devices/open-device.js';
export { SimulatedDevice, type SimulatedDeviceOptions } from './devices/simulated/index.js';
export type { Transport } from './devices/transport/index.js';
export {
  type Comparison,
  compare,
  type Evaluation,
  evaluate,
  hostRunner,
  type Runner,
  runBatch,
} from './evaluate/index.js';
export {
  type AgentOptions,
  beginRollout,
  forecastRollout,
  leadRollout,
  openStore,
  type RolloutPlan,
  type RolloutStore,
  type RolloutSummary,
  readPlan,
  readRegistry,
  summarize,
} from './fleet/index.js';
export * as tflite from './formats/tflite/index.js';
export { type Model, readModel, writeModel } from './formats/tflite/index.js';
export { type Advised, type AdviseOptions, advise } from './optimize/advise.js';
export { type OptimizedWeights, type OptimizeWeightsOptions, optimizeWeights } from './optimize/optimize-weights.js';
export { cluster, equalize, type MemoryPlan, optimize, planMemory, prune } from './optimize/passes/index.js';
export {
  applyPlan,
  type Calibration,
  calibrate,
  planQuantization,
  type QuantizationPlan,
  type QuantizeOptions,
  type QuantizeResult,
  quantize,
  schemeNames,
  schemeOf,
  verifyInt8,
} from './optimize/quantize/index.js';
export { type Suggestion, suggestionsFor } from './optimize/suggestions.js';
export {
  type Arena,
  arenaOf,
  Interpreter,
  type InterpreterOptions,
  type KernelProfile,
  kernelProfiles,
  limitsBroken,
  type OperatorProfile,
  profileOperators,
  resolveShapes,
} from './simulator/index.js';
export {
  bisect,
  type CompiledModel,
  compiledModelOf,
  findCompiler,
  parseCompilerLog,
  runCompiler,
} from './targets/compiled/index.js';
export { cArray, resolverCode, uf2Image } from './targets/export/index.js';
export {
  budgetOf,
  type CheckResult,
  calibrateTarget,
  checkModel,
  loadOperatorSet,
  loadTarget,
  memoryMap,
  registeredOperators,
  shippedTargets,
  type Target,
} from './targets/index.js';
