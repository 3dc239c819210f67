// Finds and runs external programs.

export { commandLine } from './command-line.js';
export { findOnPath, isExecutable } from './find.js';
export { processIdentity } from './identity.js';
export { type ProgramRun, runProgram } from './run.js';
