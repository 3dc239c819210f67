// Models compiled for the Edge TPU: what is in one, and running the compiler that makes them.

export { type Bisection, bisect } from './bisect.js';
export { compareWithPrediction, type PredictionDifference } from './compare.js';
export { type CompiledModel, type CompiledPart, compiledModelOf, type Executable, type ExecutableKind, newestRuntime, requireRuntime } from './compiled.js';
export { type Compilation, type CompilerRun, findCompiler, runCompiler } from './compiler.js';
export { type CompilerLog, parseCompilerLog } from './compiler-log.js';
