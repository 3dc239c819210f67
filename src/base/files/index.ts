// Reading and writing files with coded errors. Nothing here knows what is in them.

export { readBytes, readText, writeAtomically, writeNew, writeTogether } from './io.js';
export { stateFolder } from './state-folder.js';
export { describeFaults, parseYaml, type YamlFault, type YamlSource } from './yaml.js';
