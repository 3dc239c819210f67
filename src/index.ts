// The library: the same functions that the command line calls, stage by stage. docs/library.md has examples.
//
//   loadModel, readSource -> convert                        a .tflite model, or one of a training framework
//   readModel -> inspect, checkModel                        what is in a model, and whether it fits a target
//   openDataset, memoryDataset                              samples, to calibrate and to evaluate with
//   quantize, advise                                        a float model to int8, verified on the written file
//   hostRunner, DeviceClient.runner -> evaluate, compare    accuracy and latency, on this host or on a device
//   buildSlotImage -> openDevice -> push                    to a device
//   deploy                                                  all of it
//   readPlan -> beginRollout -> leadRollout -> summarize    to a fleet at a broker
//
// Nothing here prints; progress comes through callbacks, every long call takes an AbortSignal, and errors are
// AtollErrors with a code. What is not exported here is internal and may change.

export { hintFor } from './app/advice/hints.js';
export {
  type DeployOptions,
  type DeployResult,
  type DeployStep,
  deploy,
  type Project,
  readProject,
} from './app/deploy.js';
export { type InspectedTensor, type Inspection, inspect } from './app/inspect.js';
export {
  type ConvertedFrom,
  type LoadedModel,
  type LoadOptions,
  loadModel,
} from './app/load-model.js';
export {
  advisePage,
  adviseReport,
  checkReport,
  comparePage,
  compareReport,
  deployReport,
  memoryPlot,
  rolloutMarkdown,
  rolloutPage,
} from './app/report/index.js';
export type { RolloutReport } from './app/report/rollout-report.js';
export { AtollError, type ErrorCode, errorTable, exitCodes } from './base/errors.js';
export type { OnProgress, Progress } from './base/progress.js';
export type { Warning } from './base/warnings.js';
export {
  type Dataset,
  type MemoryDatasetOptions,
  type MemorySample,
  memoryDataset,
  openDataset,
  openDatasets,
} from './data/index.js';
export type { DatasetFile, Metric, Windows } from './data/schema.js';
export type { DatasetInput, Sample } from './data/types.js';
export type { BundleOptions } from './devices/bundle/build.js';
export { buildSlotImage, createKeys, decodeSlotImage, readPrivateKey, readPublicKey } from './devices/bundle/index.js';
export type { KeyAlgorithm, KeyPair, SigningKey, VerifyingKey } from './devices/bundle/keys.js';
export type { Manifest, SelfTestVector, SlotImage, Trailer } from './devices/bundle/slot-image.js';
export type { ChallengeResult, OperatorTicks } from './devices/client/client.js';
export type { FileProof } from './devices/client/file-proof.js';
export { DeviceClient, type PushOptions, type PushResult, push } from './devices/client/index.js';
export type { Bottleneck, UploadPlan } from './devices/client/line-bound.js';
export type { DeviceAgreement } from './devices/client/measure.js';
export type { PushStep } from './devices/client/push.js';
export type { SendOptions } from './devices/client/sender.js';
export type { RequestOptions } from './devices/client/smp-client.js';
export type { UploadOptions, UploadResult, UploadStep } from './devices/client/upload.js';
export type { BrokerTrouble, ConnectOptions, Message } from './devices/mqtt/connection.js';
export type { BrokerOptions, EmbeddedBroker } from './devices/mqtt/embedded.js';
export {
  type BrokerAddress,
  type BrokerConnection,
  connectToBroker,
  parseBrokerAddress,
  startBroker,
} from './devices/mqtt/index.js';
export { type OpenOptions, openDevice } from './devices/open-device.js';
export type { DeviceDescription, SlotState } from './devices/protocol/commands.js';
export type { Reported } from './devices/protocol/fleet.js';
export type { ServedDeviceOptions } from './devices/simulated/device.js';
export type { FaultName } from './devices/simulated/faults.js';
export type { SimulatedDeviceOptions } from './devices/simulated/index.js';
export type { Slot, Slots } from './devices/simulated/slots.js';
export type { Transport } from './devices/transport/index.js';
export type { LineProperties, Received } from './devices/transport/transport.js';
export type { BatchOptions, BatchResult } from './evaluate/batch.js';
export type { CompareOptions, TensorComparison } from './evaluate/compare.js';
export type { ComparedTensor, Diagnosis, ErrorCause } from './evaluate/diagnosis.js';
export type { EvaluateOptions } from './evaluate/evaluate.js';
export type { Allowance, GateResult, Limits } from './evaluate/gates.js';
export {
  type Comparison,
  compare,
  type Evaluation,
  evaluate,
  hostRunner,
  type Runner,
  runBatch,
} from './evaluate/index.js';
export type { RelevantEnds } from './evaluate/logits.js';
export type { Confusion, Distribution } from './evaluate/metrics.js';
export type { LatencyBasis, RunnerState, RunResult, SimulationOptions } from './evaluate/runner.js';
export type { RolloutView } from './fleet/agent.js';
export type { Beginning, BeginOptions } from './fleet/begin.js';
export type { Clock, FleetBroker } from './fleet/broker.js';
export type { RolloutForecast, WaveForecast } from './fleet/forecast.js';
export type { Condition, DeviceMeasurements, Gate, GateAction, Judgement } from './fleet/gates.js';
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
  submitCommand,
  summarize,
} from './fleet/index.js';
export type { MaintenanceWindow, Weekday } from './fleet/maintenance-window.js';
export type {
  Deadlines,
  Desired,
  DevicePhase,
  DeviceRecord,
  Quarantine,
  RolloutEvent,
  RolloutPhase,
  RolloutState,
} from './fleet/records.js';
export type { FleetMember, ReadOptions, Registry } from './fleet/registry.js';
export type { PhaseCounts } from './fleet/rollout-engine.js';
export type {
  Commit,
  Lease,
  LoggedEvent,
  MeasuredRow,
  NewRollout,
  PublishedRow,
  RolloutCommand,
  RolloutRow,
  WaveRow,
} from './fleet/store/store.js';
export type { WaveSummary } from './fleet/summary.js';
export type { WavePlan } from './fleet/waves.js';
export {
  type Attribute,
  type Attributes,
  decodeSource,
  type NumericArray,
  type ReadBeside,
  readSource,
  type SourceFormat,
  type SourceGraph,
  type SourceInput,
  type SourceNode,
  type SourceOutput,
  type SourceType,
  type SourceWeight,
} from './formats/source/index.js';
export { type Model, readModel, writeModel } from './formats/tflite/index.js';
export type { ElementType } from './formats/tflite/model.js';
export {
  type Accuracy,
  type Advised,
  type AdviseOptions,
  advise,
  type Candidate,
  type Decision,
  type Trial,
} from './optimize/advise.js';
export {
  type Conversion,
  type ConversionCheck,
  type ConvertOptions,
  convert,
  type GivenShapes,
} from './optimize/convert/index.js';
export {
  type OptimizedWeights,
  type OptimizeWeightsOptions,
  optimizeWeights,
  type SizedWeights,
} from './optimize/optimize-weights.js';
export { type MemoryPlan, type OptimizeResult, optimize, planMemory } from './optimize/passes/index.js';
export type { Block } from './optimize/passes/prune.js';
export type { WeightsReport } from './optimize/passes/weights-report.js';
export type { AutoRanges } from './optimize/quantize/auto-ranges.js';
export type { CalibrationOptions, SubgraphCalibration } from './optimize/quantize/calibrate.js';
export type { ActivationPlan, ConversionPlan, Ranges } from './optimize/quantize/formats.js';
export type { HistogramData } from './optimize/quantize/histogram.js';
export type { Draft, Improved, QuantizeStep, RepairName, RepairReport } from './optimize/quantize/improve.js';
export {
  type Calibration,
  calibrate,
  type QuantizationPlan,
  type QuantizeOptions,
  type QuantizeResult,
  quantize,
  schemeNames,
  schemeOf,
  verifyInt8,
} from './optimize/quantize/index.js';
export type { MixedPrecision, WidenedTensor, WiderType } from './optimize/quantize/mixed-precision.js';
export type { ModeExceptions, OperatorMode } from './optimize/quantize/modes.js';
export type { IntegerType, NumberFormat, NumberType } from './optimize/quantize/number-format.js';
export type { Range } from './optimize/quantize/parameters.js';
export type { OperatorPlan, PlanOptions, SubgraphPlan } from './optimize/quantize/plan.js';
export type { RangeMethod } from './optimize/quantize/ranges.js';
export type { Scheme, SchemeName } from './optimize/quantize/scheme.js';
export type { TensorStatistics } from './optimize/quantize/tensor-statistics.js';
export type { BiasPlan, Granularity, WeightsPlan } from './optimize/quantize/weights.js';
export { type Change, type Suggestion, suggestionsFor } from './optimize/suggestions.js';
export type { HeadPlan, PlannedBuffer } from './simulator/arena/greedy.js';
export type { BufferRequest } from './simulator/arena/lifetimes.js';
export type { Extremes } from './simulator/extremes.js';
export {
  type Arena,
  arenaOf,
  Interpreter,
  type InterpreterOptions,
  type KernelProfile,
  kernelProfileNames,
  type OperatorProfile,
  profileOperators,
  resolveShapes,
} from './simulator/index.js';
export type { OperatorHook, TensorInfo } from './simulator/interpreter.js';
export type { ElementArray, Operand, RuntimeKernels } from './simulator/operators/operator.js';
export type { Budget } from './targets/budget.js';
export type { CheckOptions, Span } from './targets/check.js';
export type { CompiledModel, CompiledPart } from './targets/compiled/compiled.js';
export type {
  CompiledDescription,
  ExecutableDescription,
  LayerDescription,
  TransferDescription,
} from './targets/compiled/describe.js';
export type {
  AddressField,
  DataTransfer,
  Executable,
  ExecutableKind,
  InstructionChunk,
  Place,
} from './targets/compiled/executable.js';
export type { Layer, LayerType, Run } from './targets/compiled/layer.js';
export type { OperatorPlacement } from './targets/cpu-placement.js';
export type { CArray } from './targets/export/c-array.js';
export { cArray, resolverCode, uf2Image } from './targets/export/index.js';
export {
  budgetOf,
  type CheckResult,
  checkModel,
  loadTarget,
  memoryMap,
  shippedTargets,
  type Target,
} from './targets/index.js';
export type { Estimate, LatencyEstimate } from './targets/latency.js';
export type { MappedBuffer, MemoryMap, MemoryMoment } from './targets/memory-map.js';
export type { OperatorKind, RegisteredOperator } from './targets/op-resolver.js';
export type { CheckAdvice, CheckReason } from './targets/reasons.js';
export type { RuntimeFlash } from './targets/runtime-flash.js';
export type { LinkedSizes, OperatorSet, TargetFile } from './targets/schema.js';
export type { CheckWarning } from './targets/warnings.js';
