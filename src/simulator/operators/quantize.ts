// QUANTIZE and DEQUANTIZE. From float: reference_ops::AffineQuantize, dividing in float32. Between integers:
// reference_ops::Requantize. DEQUANTIZE: scale * (q - zeroPoint) in double, stored as float32.

import { quantizeMultiplier, toInt32 } from '../arithmetic/fixed-point.js';
import type { Requantize } from '../arithmetic/profile.js';
import { clamp, integerLimits } from './activation.js';
import { mapBytesInBlocks } from './map.js';
import {
  byType,
  inputOf,
  type OperatorContext,
  type OperatorFamily,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';
import { sameShape } from './shapes.js';

function fromFloat(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const { scale, zeroPoint } = quantizationOf(context, output);
  const [low, high] = integerLimits(output);
  const from = input.data as Float32Array;
  const to = output.data as Int8Array;
  const convert = context.arithmetic.quantizeFloat(scale, to.length);
  return () => {
    for (let i = 0; i < to.length; i++)
      to[i] = clamp((toInt32(convert(from[i] as number, i)) + zeroPoint) | 0, low, high);
  };
}

function fromInteger(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const qi = quantizationOf(context, input);
  const qo = quantizationOf(context, output);
  const { multiplier, shift } = quantizeMultiplier(qi.scale / qo.scale);
  const bytes = input.type === 'int8' || input.type === 'uint8';
  const { requantize, requantizeBytes } = context.arithmetic;
  const rescaling =
    (arithmetic: Requantize) =>
    (value: number): number =>
      arithmetic(value - qi.zeroPoint, multiplier, shift) + qo.zeroPoint;
  if (bytes) return mapBytesInBlocks(input, output, rescaling(requantizeBytes), rescaling(requantize));
  const rescale = rescaling(requantize);
  const [low, high] = integerLimits(output);
  const from = input.data as Int16Array;
  const to = output.data as Int16Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = clamp(rescale(from[i] as number), low, high);
  };
}

function prepareQuantize(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  byType(context, output, { int8: true, uint8: true, int16: true, int32: true });
  return byType(context, input, {
    float32: fromFloat,
    int8: fromInteger,
    uint8: fromInteger,
    int16: fromInteger,
    int32: fromInteger,
  })(context);
}

function prepareDequantize(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, 'float32');
  const to = output.data as Float32Array;
  if (input.type === 'float16') return fromFloat16(input.data as Uint16Array, to);
  const { scale, zeroPoint } = quantizationOf(context, input);
  const from = byType(context, input, {
    int8: input.data,
    uint8: input.data,
    int16: input.data,
    int32: input.data,
  }) as Int8Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = scale * ((from[i] as number) - zeroPoint);
  };
}

/** IEEE 754 half precision: a sign, 5 bits of exponent, 10 of fraction. */
function fromFloat16(bits: Uint16Array, to: Float32Array): () => void {
  return () => {
    for (let i = 0; i < to.length; i++) {
      const half = bits[i] as number;
      const exponent = (half >> 10) & 0x1f;
      const fraction = half & 0x3ff;
      const magnitude =
        exponent === 0
          ? fraction * 2 ** -24
          : exponent === 31
            ? fraction === 0
              ? Infinity
              : Number.NaN
            : (1024 + fraction) * 2 ** (exponent - 25);
      to[i] = half >> 15 === 0 ? magnitude : -magnitude;
    }
  };
}

export const quantize: OperatorFamily = {
  name: 'QUANTIZE',
  types: ['float32', 'int8', 'uint8', 'int16', 'int32'],
  shapes: sameShape,
  prepare: prepareQuantize,
  work: () => ({ kind: 'elementwise', macs: 0 }),
  memory: () => ({ persistent: [32] }),
};

export const dequantize: OperatorFamily = {
  name: 'DEQUANTIZE',
  types: ['int8', 'uint8', 'int16', 'int32', 'float16'],
  shapes: sameShape,
  prepare: prepareDequantize,
  work: () => ({ kind: 'elementwise', macs: 0 }),
  memory: () => ({ persistent: [32] }),
};
