// ELU: x where x >= 0, else exp(x) - 1. int8: a table computed in float32 (TFLM elu.cc).

import { roundHalfAway } from '../arithmetic/fixed-point.js';
import { mapElements, mapTable } from './map.js';
import { elementwiseFamily, inputOf, type OperatorContext, outputOf, quantizationOf } from './operator.js';
import { sameShape } from './shapes.js';

const { fround } = Math;
const curve = (x: number): number => (x < 0 ? fround(fround(Math.exp(x)) - 1) : x);

function prepareInt8(context: OperatorContext): () => void {
  const from = quantizationOf(context, inputOf(context, 0));
  const to = quantizationOf(context, outputOf(context));
  const inverse = fround(1 / to.scale);
  return mapTable(context, (value) => roundHalfAway(fround(curve(fround(from.scale * (value - from.zeroPoint))) * inverse)) + to.zeroPoint);
}

export const elu = elementwiseFamily('ELU', sameShape, { float32: (context) => mapElements(context, curve), int8: prepareInt8 }, () => ({ persistent: [256] }));
