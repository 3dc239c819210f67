// Functions of quantized elements that the kernels tabulate in float32 (TFLite common.h LUTPopulate): all 256 values of
// 8 bits, or 513 points for int16.

import { roundHalfAway } from '../arithmetic/fixed-point.js';
import { interpolate, interpolationTable } from '../arithmetic/lookup.js';
import { mapElements, mapTable } from './map.js';
import { inputOf, type OperatorContext, outputOf, quantizationOf } from './operator.js';

const { fround } = Math;

/** @param real of a float32, rounded to float32 where the kernel does */
export function mapFloatTable(context: OperatorContext, real: (x: number) => number): () => void {
  const from = quantizationOf(context, inputOf(context, 0));
  const to = quantizationOf(context, outputOf(context));
  if (inputOf(context, 0).type === 'int16') {
    const table = interpolationTable(
      { scale: from.scale, zero: from.zeroPoint, outputScale: to.scale, round: fround },
      real,
    );
    return mapElements(context, (value) => interpolate(table, value));
  }
  const inverse = fround(1 / to.scale);
  return mapTable(context, (value) => {
    const result = fround(real(fround(from.scale * (value - from.zeroPoint))));
    return roundHalfAway(fround(result * inverse)) + to.zeroPoint;
  });
}
