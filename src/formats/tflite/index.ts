// The TFLite format. readModel takes the bytes of a .tflite file and gives a Model: plain objects, weights as views of
// the file. writeModel gives the bytes back with every field kept. Nothing here knows about quantization schemes,
// targets or kernels.

export { create } from '../flatbuffer/index.js';
export {
  addBuffer,
  addFloats,
  compact,
  copyModel,
  dropMemoryPlan,
  isPrivate,
  type Links,
  linksOf,
  memoryPlanName,
  operatorCodeIndex,
  setWeights,
  unaryOperator,
} from './edit.js';
export { type Extract, extract, operatorsBetween } from './extract.js';
export * from './model.js';
export { prefixOf } from './prefix.js';
export { readModel } from './read.js';
export { ActivationFunctionType, BuiltinOperator, DimensionType, Padding, TensorType } from './schema/enums.js';
export * as schema from './schema/model.js';
export { writeModel } from './write.js';
