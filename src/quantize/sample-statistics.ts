// Looks at the calibration samples themselves: data that no device would ever see gives ranges that fit nothing.

import type { Warning } from '../evaluate/index.js';

const fewSamples = 20;

export class SampleStatistics {
  private samples = 0;
  private values = 0;
  private sum = 0;
  private sumOfSquares = 0;
  private sumOfCubes = 0;
  private sumOfFourths = 0;
  private lagProducts = 0;
  private largest = 0;
  private atLargest = 0;
  private constantSamples = 0;
  private readonly seen = new Set<string>();

  add(inputs: readonly Float32Array[]): void {
    this.samples += 1;
    let constant = true;
    const [first] = inputs;
    if (first !== undefined && this.seen.size < 2) this.seen.add(first.join());
    for (const input of inputs) {
      for (let i = 0; i < input.length; i++) {
        const value = input[i] as number;
        const magnitude = Math.abs(value);
        if (magnitude > this.largest) {
          this.largest = magnitude;
          this.atLargest = 0;
        }
        if (magnitude === this.largest) this.atLargest += 1;
        if (value !== input[0]) constant = false;
        this.sum += value;
        this.sumOfSquares += value * value;
        this.sumOfCubes += value ** 3;
        this.sumOfFourths += value ** 4;
        if (i > 0) this.lagProducts += value * (input[i - 1] as number);
      }
      this.values += input.length;
    }
    // A sample of one value says nothing by itself.
    if (constant && inputs.some(({ length }) => length > 1)) this.constantSamples += 1;
  }

  warnings(): Warning[] {
    const warnings: Warning[] = [];
    const warn = (code: string, message: string): void => {
      warnings.push({ code, message });
    };
    if (this.samples < fewSamples) warn('FEW_SAMPLES', `only ${this.samples} calibration sample(s): 100 to 500 give ranges that hold`);
    if (this.constantSamples === this.samples) warn('CONSTANT_SAMPLES', 'every calibration sample holds one and the same value throughout');
    else if (this.samples > 1 && this.seen.size === 1) warn('CONSTANT_SAMPLES', 'all calibration samples are the same');
    else if (this.isNoise()) warn('NOISE_SAMPLES', 'the calibration samples look like random numbers: use data as the device will see it');
    const share = this.atLargest / this.values;
    if (share > 0.25 && this.constantSamples < this.samples) {
      warn(
        'SATURATING_SAMPLES',
        `${(100 * share).toFixed(0)} % of the calibration values are exactly +-${this.largest}: is the data clipped or wrongly scaled?`,
      );
    }
    return warnings;
  }

  /** Neighbours that are independent, and values spread evenly or as a bell: neither images nor sensors look so. */
  private isNoise(): boolean {
    const [mean, square, cube, fourth] = [this.sum, this.sumOfSquares, this.sumOfCubes, this.sumOfFourths].map((sum) => sum / this.values) as [
      number,
      number,
      number,
      number,
    ];
    const variance = square - mean * mean;
    if (this.values < 256 || !(variance > 0)) return false;
    const correlation = (this.lagProducts / this.values - mean * mean) / variance;
    const centralFourth = fourth - 4 * mean * cube + 6 * mean * mean * square - 3 * mean ** 4;
    const kurtosis = centralFourth / (variance * variance);
    const uniform = Math.abs(kurtosis - 1.8) < 0.1;
    const normal = Math.abs(kurtosis - 3) < 0.2;
    return Math.abs(correlation) < 0.05 && (uniform || normal);
  }
}
