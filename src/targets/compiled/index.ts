// Models compiled for the Edge TPU: reading them, and running the compiler that makes them.

export { type Bisection, bisect } from './bisect.js';
export { compareWithPrediction, type PredictionDifference } from './compare.js';
export {
  type CompiledModel,
  type CompiledPart,
  compiledModelOf,
  newestRuntime,
  packageIn,
  requireRuntime,
} from './compiled.js';
export { type Compilation, type CompilerRun, findCompiler, runCompiler } from './compiler.js';
export { type CompilerLog, parseCompilerLog } from './compiler-log.js';
export {
  type CompiledDescription,
  describeCompiled,
  type ExecutableDescription,
  type LayerDescription,
  type TransferDescription,
} from './describe.js';
export {
  type AddressField,
  type DataTransfer,
  type Executable,
  type ExecutableKind,
  executableOf,
  type InstructionChunk,
  type Place,
} from './executable.js';
export { type Layer, type LayerType, laidOut, tensorFrom } from './layer.js';
export { decodePackage, type EdgeTpuPackage, encodePackage } from './package.js';
export * as edgeTpuSchema from './schema.js';
