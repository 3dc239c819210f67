// Which scheme a model is in, read off its tensors.

import { constantBytes, type Model, mainSubgraph, TensorType } from '../tflite/index.js';

export type Scheme = 'float32' | 'float16' | 'dynamic-range' | 'int8' | 'int8-float-fallback' | 'int16x8' | 'int16x8-float-fallback' | 'uint8';

export function schemeOf(model: Model): Scheme {
  const computed = new Set<number>();
  const constant = new Set<number>();
  for (const tensor of mainSubgraph(model).tensors) (constantBytes(model, tensor) === null ? computed : constant).add(tensor.type);
  const float = computed.has(TensorType.FLOAT32);
  if (computed.has(TensorType.INT16)) return float ? 'int16x8-float-fallback' : 'int16x8';
  if (computed.has(TensorType.INT8)) return float ? 'int8-float-fallback' : 'int8';
  if (computed.has(TensorType.UINT8)) return 'uint8';
  if (constant.has(TensorType.INT8)) return 'dynamic-range';
  return constant.has(TensorType.FLOAT16) ? 'float16' : 'float32';
}
