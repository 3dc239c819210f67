import { elementAt } from '../../base/checked.js';
import type { Warning } from '../../base/warnings.js';

// Checks the calibration samples themselves: unrealistic data gives unsuitable ranges.
const fewSamples = 20;
/** Number of values that shows how they are distributed. */
const enoughValues = 2e6;

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
  private firstSample: Float32Array | null = null;
  private allSame = true;

  add(inputs: readonly Float32Array[]): void {
    this.samples += 1;
    let constant = true;
    const [first] = inputs;
    if (first !== undefined && this.allSame) {
      this.firstSample ??= first.slice();
      this.allSame = Buffer.compare(bytesOf(this.firstSample), bytesOf(first)) === 0;
    }
    for (const input of inputs) constant = this.addValues(input) && constant;
    // A sample of one value says nothing by itself.
    if (constant && inputs.some(({ length }) => length > 1)) this.constantSamples += 1;
  }

  /** Whether all values are equal. Sums in local variables: there are millions of values. */
  private addValues(input: Float32Array): boolean {
    if (this.values >= enoughValues) return input.every((value) => value === input[0]);
    let { largest, atLargest } = this;
    let [sum, squares, cubes, fourths, lagProducts] = [0, 0, 0, 0, 0];
    let constant = true;
    let before = 0;
    const first = input[0];
    for (let i = 0; i < input.length; i++) {
      const value = elementAt(input, i);
      const magnitude = Math.abs(value);
      if (magnitude > largest) {
        largest = magnitude;
        atLargest = 0;
      }
      if (magnitude === largest) atLargest += 1;
      if (value !== first) constant = false;
      const square = value * value;
      sum += value;
      squares += square;
      cubes += square * value;
      fourths += square * square;
      lagProducts += value * before;
      before = value;
    }
    this.largest = largest;
    this.atLargest = atLargest;
    this.values += input.length;
    this.sum += sum;
    this.sumOfSquares += squares;
    this.sumOfCubes += cubes;
    this.sumOfFourths += fourths;
    this.lagProducts += lagProducts;
    return constant;
  }

  warnings(): Warning[] {
    const warnings: Warning[] = [];
    const warn = (code: string, message: string): void => {
      warnings.push({ code, message });
    };
    if (this.samples < fewSamples)
      warn('FEW_SAMPLES', `only ${this.samples} calibration sample(s): 100 to 500 give reliable ranges`);
    if (this.constantSamples === this.samples)
      warn('CONSTANT_SAMPLES', 'every calibration sample contains a single value');
    else if (this.samples > 1 && this.allSame) warn('CONSTANT_SAMPLES', 'all calibration samples are the same');
    else if (this.isNoise())
      warn('NOISE_SAMPLES', 'the calibration samples look like random numbers: use data that the device will see');
    const share = this.atLargest / this.values;
    if (share > 0.25 && this.constantSamples < this.samples) {
      warn(
        'SATURATING_SAMPLES',
        `${(100 * share).toFixed(0)} % of the calibration values are exactly +-${this.largest}: is the data ` +
          'clipped or wrongly scaled?',
      );
    }
    return warnings;
  }

  /** Independent neighbours with a uniform or normal distribution: neither images nor sensor data look like that. */
  private isNoise(): boolean {
    const [mean, square, cube, fourth] = [this.sum, this.sumOfSquares, this.sumOfCubes, this.sumOfFourths].map(
      (sum) => sum / this.values,
    ) as [number, number, number, number];
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

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
