// Reads and writes files with coded errors, whatever the files contain.

export { readBytes, readText, writeAtomically, writeNew, writeTogether } from './io.js';
export { stateFolder } from './state-folder.js';
export { describeFaults, parseYaml, type YamlFault, type YamlSource } from './yaml.js';
