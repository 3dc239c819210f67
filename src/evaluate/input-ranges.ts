// Compares the range of the input data with the range of the quantized inputs, to detect data that is scaled
// differently from the training data.

import { elementAt } from '../base/checked.js';
import type { Warning } from '../base/warnings.js';
import type { TensorInfo } from '../simulator/index.js';
import { integerLimits } from './convert.js';

/** Data that uses less than this share of the input's range is probably scaled differently. */
const minFilled = 1 / 8;
/** Share of values outside the input's range above which a warning is given. */
const maxSaturated = 0.01;

export class InputRanges {
  private values = 0;
  private saturated = 0;
  private readonly ends: { min: number; max: number }[];

  constructor(private readonly inputs: readonly TensorInfo[]) {
    this.ends = inputs.map(() => ({ min: Infinity, max: -Infinity }));
  }

  /**
   * @param values real values of each input for one inference, in the order of the model's inputs
   * @param saturated number of values outside the range of the inputs
   */
  add(values: readonly Float32Array[], saturated: number): void {
    this.saturated += saturated;
    values.forEach((part, i) => {
      this.values += part.length;
      const ends = elementAt(this.ends, i);
      for (const value of part) {
        if (value < ends.min) ends.min = value;
        if (value > ends.max) ends.max = value;
      }
    });
  }

  warnings(): Warning[] {
    const share = this.saturated / this.values;
    if (share > maxSaturated) {
      const percent = (100 * share).toFixed(1);
      const message =
        `${percent} % of the input values are outside the range of the model's input (${this.rangesText()}): is ` +
        'the data scaled as for training and calibration?';
      return [{ code: 'SATURATING_INPUTS', message }];
    }
    return this.inputs.flatMap((input, i): Warning[] => {
      const held = heldBy(input);
      const { min, max } = elementAt(this.ends, i);
      const largest = Math.max(Math.abs(min), Math.abs(max));
      if (held === null || largest === 0 || largest >= minFilled * Math.max(...held.map(Math.abs))) return [];
      const message =
        `the values of input ${input.name} are only from ${figure(min)} to ${figure(max)}; it was calibrated for ` +
        `${figure(held[0])} to ${figure(held[1])}: is the data scaled as for training and calibration?`;
      return [{ code: 'UNFILLED_INPUT', message }];
    });
  }

  private rangesText(): string {
    const texts = this.inputs.flatMap((input, i) => {
      const held = heldBy(input);
      const { min, max } = elementAt(this.ends, i);
      return held === null ? [] : [`${figure(min)} to ${figure(max)} beside ${figure(held[0])} to ${figure(held[1])}`];
    });
    return texts.join('; ');
  }
}

const figure = (value: number): string => String(Number(value.toPrecision(3)));

/** Smallest and largest real value of a quantized input; null if it is not quantized. */
function heldBy({ type, quantization }: TensorInfo): readonly [number, number] | null {
  if (quantization === null || !['int8', 'uint8', 'int16'].includes(type)) return null;
  const [low, high] = integerLimits(type);
  return [(low - quantization.zeroPoint) * quantization.scale, (high - quantization.zeroPoint) * quantization.scale];
}
