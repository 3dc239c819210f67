// Programs of others: where they are, and running them. Nothing here knows what they do.

export { commandLine } from './command-line.js';
export { findOnPath, isExecutable } from './find.js';
export { processIdentity } from './identity.js';
export { type ProgramRun, runProgram } from './run.js';
