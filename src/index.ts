// The library: the same functions that the command line calls, stage by stage.
//
//   readModel -> optimize -> calibrate -> planQuantization -> applyPlan   (or quantize, which does all of these)
//   checkModel, remediesFor, planMemory, Interpreter, evaluate            on this host
//   resolverCode, cArray, uf2Image, runCompiler                           for firmware, for the Edge TPU
//   buildSlotImage -> openDevice -> push -> DeviceClient.runner           on a device
//   deploy                                                                all of it
//   readPlan -> beginRollout -> leadRollout -> summarize                  on a fleet at a broker
//
// Nothing here prints; progress comes through callbacks, and every long call takes an AbortSignal.

export { type Advised, type AdviseOptions, advise } from './advise.js';
export { buildSlotImage, decodeSlotImage } from './bundle/index.js';
export { type Dataset, openDataset, openDatasets } from './dataset/index.js';
export { type DeployOptions, type DeployResult, deploy, type Project, readProject } from './deploy.js';
export { DeviceClient, type PushOptions, type PushResult, push } from './device/index.js';
export { bisect, type CompiledModel, compiledModelOf, findCompiler, parseCompilerLog, runCompiler } from './edgetpu/index.js';
export { AtollError, type ErrorCode, errorTable } from './errors.js';
export { type Comparison, compare, type Evaluation, evaluate, hostRunner, type Runner, runBatch } from './evaluate/index.js';
export { cArray, resolverCode, uf2Image } from './export/index.js';
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
export { type Inspection, inspect } from './inspect.js';
export { type BrokerAddress, type BrokerConnection, connectToBroker, parseBrokerAddress, startBroker } from './mqtt/index.js';
export { openDevice } from './open-device.js';
export { cluster, equalize, type MemoryPlan, optimize, planMemory, prune } from './optimize/index.js';
export { type OptimizedWeights, type OptimizeWeightsOptions, optimizeWeights } from './optimize-weights.js';
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
} from './quantize/index.js';
export { type Remedy, remediesFor } from './remedies.js';
export { SimulatedDevice, type SimulatedDeviceOptions } from './simdevice/index.js';
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
export * as tflite from './tflite/index.js';
export { type Model, readModel, writeModel } from './tflite/index.js';
export type { Transport } from './transport/index.js';
