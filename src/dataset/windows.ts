import { fail } from '../errors.js';
import type { Dataset, Sample } from './types.js';

/** The inputs of every run that a sample needs: itself, or the windows that the dataset cuts from it. */
export function runsOf(sample: Sample, { windows, name }: Dataset): (readonly Float32Array[])[] {
  const [whole] = sample.inputs;
  if (windows === null || whole === undefined) return [sample.inputs];
  const count = Math.floor((whole.length - windows.length) / windows.stride) + 1;
  if (count < 1)
    throw fail('DATASET_MISMATCH', { dataset: name, reason: `sample ${sample.index} has ${whole.length} values, fewer than a window of ${windows.length}` });
  return Array.from({ length: count }, (_, i) => [whole.subarray(i * windows.stride, i * windows.stride + windows.length)]);
}
