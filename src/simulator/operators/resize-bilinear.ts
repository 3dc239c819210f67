// RESIZE_BILINEAR over NHWC tensors. int8: weights in 10 bits (TFLite reference_ops::ResizeBilinearInteger); float32,
// uint8: reference_ops::ResizeBilinear.

import { constantIntegers } from './axes.js';
import {
  elementwiseFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  optionsOf,
  outputOf,
  requireRank,
  requireType,
} from './operator.js';
import { whereKnown } from './shapes.js';

const { fround } = Math;

/** The two input lines around an output line, and the distance from the first. */
export interface SampledLine {
  readonly first: number;
  readonly second: number;
  readonly distance: number;
}

interface Sampling {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}

const one = 1 << 10;

function integerLines(input: number, output: number, { alignCorners, halfPixelCenters }: Sampling): SampledLine[] {
  const scale =
    alignCorners && output > 1
      ? Math.trunc((one * (input - 1) + Math.trunc((output - 1) / 2)) / (output - 1))
      : Math.trunc((one * input + Math.trunc(output / 2)) / output);
  return Array.from({ length: output }, (_, at) => {
    const scaled = halfPixelCenters ? at * scale + Math.trunc(scale / 2) - one / 2 : at * scale;
    const first = Math.max(Math.trunc(scaled / one), 0);
    // The rounded scale may lead beyond the last line, where TFLite reads past the image; here the last line is used.
    return {
      first: Math.min(first, input - 1),
      second: Math.min(Math.trunc((scaled + one - 1) / one), input - 1),
      distance: scaled - one * first,
    };
  });
}

function floatLines(input: number, output: number, { alignCorners, halfPixelCenters }: Sampling): SampledLine[] {
  const scale = alignCorners && output > 1 ? fround((input - 1) / (output - 1)) : fround(input / output);
  return Array.from({ length: output }, (_, at) => {
    const scaled = halfPixelCenters ? fround(fround(fround(at + 0.5) * scale) - 0.5) : fround(at * scale);
    const first = Math.max(Math.floor(scaled), 0);
    return {
      first: Math.min(first, input - 1),
      second: Math.min(Math.ceil(scaled), input - 1),
      distance: fround(scaled - first),
    };
  });
}

const maxLines = 2 ** 16;

const resizedShape = whereKnown((context) => {
  const input = inputOf(context, 0);
  requireRank(context, input, 4);
  const [height = 0, width = 0] = constantIntegers(context, inputOf(context, 1));
  if (Math.max(height, width) > maxLines) throw invalid(context, `${height} x ${width} pixels`);
  return [[input.shape[0] as number, height, width, input.shape[3] as number]];
}, 1);

interface Resize {
  readonly input: Operand;
  readonly output: Operand;
  readonly rows: readonly SampledLine[];
  readonly columns: readonly SampledLine[];
}

export function resizeOf(context: OperatorContext): Resize {
  const input = inputOf(context, 0);
  const lines = input.type === 'int8' || input.type === 'int16' ? integerLines : floatLines;
  const output = outputOf(context);
  const sampling = optionsOf(context, 'ResizeBilinearOptions');
  if (sampling.alignCorners && sampling.halfPixelCenters)
    throw invalid(context, 'aligned corners and half-pixel centers exclude each other');
  const [, height, width] = output.shape as [number, number, number];
  const [, inputHeight, inputWidth] = input.shape as [number, number, number];
  requireType(context, output, input.type);
  if (inputHeight < 1 || inputWidth < 1) throw invalid(context, 'an empty input');
  return { input, output, rows: lines(inputHeight, height, sampling), columns: lines(inputWidth, width, sampling) };
}

/**
 * `blend` mixes the four neighbours: first row first column, second row first column, first row second column, both
 * second.
 */
function prepareWith(
  { input, output, rows, columns }: Resize,
  blend: (ll: number, lu: number, rl: number, ru: number, y: number, x: number) => number,
): () => void {
  const [batches, inputHeight, inputWidth, channels] = input.shape as [number, number, number, number];
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  const at = (batch: number, y: number, x: number): number => ((batch * inputHeight + y) * inputWidth + x) * channels;
  return () => {
    let index = 0;
    for (let b = 0; b < batches; b++) {
      for (const row of rows) {
        for (const column of columns) {
          const corners = [
            at(b, row.first, column.first),
            at(b, row.second, column.first),
            at(b, row.first, column.second),
            at(b, row.second, column.second),
          ];
          const [ll, lu, rl, ru] = corners as [number, number, number, number];
          for (let c = 0; c < channels; c++) {
            to[index++] = blend(
              from[ll + c] as number,
              from[lu + c] as number,
              from[rl + c] as number,
              from[ru + c] as number,
              row.distance,
              column.distance,
            );
          }
        }
      }
    }
  };
}

function prepareInteger(context: OperatorContext): () => void {
  return prepareWith(resizeOf(context), (ll, lu, rl, ru, y, x) => {
    const sum = ll * (one - y) * (one - x) + lu * y * (one - x) + rl * (one - y) * x + ru * y * x;
    return Math.trunc((sum + (sum > 0 ? 2 ** 19 : -(2 ** 19))) / 2 ** 20);
  });
}

/** In float32; integers are rounded by adding one half and truncating. */
function prepareReal(context: OperatorContext): () => void {
  const whole = inputOf(context, 0).type === 'uint8';
  if (whole && context.arithmetic.resizesByArea) return prepareByArea(context);
  return prepareWith(resizeOf(context), (ll, lu, rl, ru, y, x) => {
    const term = (value: number, a: number, b: number): number => fround(fround(value * a) * b);
    const [up, left] = [fround(1 - y), fround(1 - x)];
    const sum = fround(fround(fround(term(ll, up, left) + term(lu, y, left)) + term(rl, up, x)) + term(ru, y, x));
    return whole ? Math.trunc(fround(sum + 0.5)) : sum;
  });
}

/**
 * A neighbour's weights are multiplied first, and neighbours are added row by row (ResizeBilinearGenericSmallChannel).
 */
function prepareByArea(context: OperatorContext): () => void {
  return prepareWith(resizeOf(context), (ll, lu, rl, ru, y, x) => {
    const [up, left] = [fround(1 - y), fround(1 - x)];
    const first = fround(fround(ll * fround(up * left)) + fround(rl * fround(up * x)));
    return Math.trunc(fround(fround(fround(first + fround(lu * fround(y * left))) + fround(ru * fround(y * x))) + 0.5));
  });
}

export const resizeBilinear = elementwiseFamily(
  'RESIZE_BILINEAR',
  resizedShape,
  { float32: prepareReal, int8: prepareInteger, uint8: prepareReal, int16: prepareInteger },
  () => ({ options: [2, 1] }),
);
