// The schemes: the types of a model's weights, activations, inputs and outputs.

import { constantBytes, type Model, mainSubgraph, TensorType } from '../../formats/tflite/index.js';
import type { IntegerType, NumberType } from './number-format.js';

/** Names of the schemes. */
export const schemeNames = [
  'float32',
  'float16',
  'dynamic-range',
  'int8',
  'int8-float-fallback',
  'int16x8',
  'int16x8-float-fallback',
] as const;
/** Names of the schemes. */
export type SchemeName = (typeof schemeNames)[number];

/** The result of detecting a model's scheme. */
export type Scheme = SchemeName | 'uint8';

export interface SchemeRules {
  /** The type of operators that have a form in it; null for none. */
  readonly activations: IntegerType | null;
  /** Whether operators without an integer form stay float; otherwise they are an error. */
  readonly floatFallback: boolean;
  /** Storage type of constants that operators read as float. */
  readonly floatConstants: 'float32' | 'float16';
  /** Whether operators with weights combine int8 weights with float activations. */
  readonly dynamicRange: boolean;
  /** Allowed types of inputs and outputs; the first is the default. */
  readonly io: readonly [NumberType, ...NumberType[]];
}

const floating: SchemeRules = {
  activations: null,
  floatFallback: true,
  floatConstants: 'float32',
  dynamicRange: false,
  io: ['float32'],
};
const integer: SchemeRules = {
  ...floating,
  activations: 'int8',
  floatFallback: false,
  io: ['int8', 'uint8', 'float32'],
};
const wide: SchemeRules = { ...integer, activations: 'int16', io: ['int16', 'float32'] };

export const schemes: Readonly<Record<SchemeName, SchemeRules>> = {
  float32: floating,
  float16: { ...floating, floatConstants: 'float16' },
  'dynamic-range': { ...floating, dynamicRange: true },
  int8: integer,
  'int8-float-fallback': { ...integer, floatFallback: true, io: ['float32'] },
  int16x8: wide,
  'int16x8-float-fallback': { ...wide, floatFallback: true, io: ['float32'] },
};

/** Detects a model's scheme from the types of its tensors. */
export function schemeOf(model: Model): Scheme {
  const computed = new Set<number>();
  const constant = new Set<number>();
  for (const tensor of mainSubgraph(model).tensors)
    (constantBytes(model, tensor) === null ? computed : constant).add(tensor.type);
  const float = computed.has(TensorType.FLOAT32);
  if (computed.has(TensorType.INT16)) return float ? 'int16x8-float-fallback' : 'int16x8';
  if (computed.has(TensorType.INT8)) return float ? 'int8-float-fallback' : 'int8';
  if (computed.has(TensorType.UINT8)) return 'uint8';
  if (constant.has(TensorType.INT8)) return 'dynamic-range';
  return constant.has(TensorType.FLOAT16) ? 'float16' : 'float32';
}
