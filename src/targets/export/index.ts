// Files that firmware takes: in goes a model, out comes text or bytes, by format.

export { type CArray, cArray } from './c-array.js';
export { identifierOf } from './identifier.js';
export { resolverCode } from './resolver-code.js';
export { uf2Image } from './uf2.js';
