// Files that firmware takes: in goes a model, out comes text or bytes, by format.

export { type CArray, cArray } from './c-array.js';
export { type FlashPlace, hexAddress, uf2Place } from './flash-place.js';
export { identifierOf } from './identifier.js';
export { resolverCode } from './resolver-code.js';
export { uf2Image, uf2Page } from './uf2.js';
