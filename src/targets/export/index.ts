// Exports models for firmware builds, as text or bytes.

export { type CArray, cArray } from './c-array.js';
export { identifierOf } from './identifier.js';
export { resolverCode } from './resolver-code.js';
export { uf2Image } from './uf2.js';
