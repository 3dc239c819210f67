// The fast kernels. Compiled twice by scripts/build-kernels.js: without checks, and with bounds assertions for the fuzz tests.

export { setRegions } from './bounds';
export { convFloat, denseFloat } from './conv-float';
export { convInt8, denseInt8 } from './conv-int8';
export { depthwiseFloat } from './depthwise-float';
export { depthwiseInt8 } from './depthwise-int8';
