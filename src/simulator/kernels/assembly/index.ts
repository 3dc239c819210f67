// The fast kernels. scripts/build-kernels.js compiles them twice: without checks, and with bounds assertions for the
// fuzz tests. AssemblyScript's decorators on functions, such as @inline, are not TypeScript; `@ts-ignore: decorator` is
// for editors.

export { setRegions } from './bounds';
export { addInt8 } from './add-int8';
export { convFloat, denseFloat } from './conv-float';
export { convInt16, denseInt16 } from './conv-int16';
export { convInt8, denseInt8 } from './conv-int8';
export { depthwiseFloat } from './depthwise-float';
export { depthwiseInt16 } from './depthwise-int16';
export { depthwiseInt8 } from './depthwise-int8';
export { largestFloat, scanFloats, smallestFloat, sumOfFloats } from './extremes';
export { averageFloat, averageInt8, channelSumsInt8, maxInt8 } from './pool';
export { resizeBilinearFloat, resizeBilinearInt8 } from './resize-bilinear';
export { softmaxInt8 } from './softmax-int8';
export { flipSigns, tableOf8, tableOfPairs8 } from './table';
