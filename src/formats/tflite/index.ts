// The TFLite format. readModel decodes the bytes of a .tflite file into a Model: plain objects, with weights as views
// of the file. writeModel encodes it with every field kept. Nothing here knows about quantization schemes, targets or
// kernels.

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
