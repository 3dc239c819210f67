// ELU: x for x >= 0, otherwise exp(x) - 1. int8: a table computed in float32 (TFLM elu.cc; TFLite activations.cc, with
// expm1).

import { mapFloatTable } from './float-table.js';
import { mapElements } from './map.js';
import { elementwiseFamily, type OperatorContext } from './operator.js';
import { sameShape } from './shapes.js';

const { fround } = Math;
const curve = (x: number): number => (x < 0 ? fround(fround(Math.exp(x)) - 1) : x);
const exactCurve = (x: number): number => (x < 0 ? Math.expm1(x) : x);

const int8 = (context: OperatorContext): (() => void) =>
  mapFloatTable(context, context.arithmetic.runtime === 'tflite' ? exactCurve : curve);

export const elu = elementwiseFamily(
  'ELU',
  sameShape,
  { float32: (context) => mapElements(context, curve), int8 },
  () => ({ persistent: [256] }),
);
