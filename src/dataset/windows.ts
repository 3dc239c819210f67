import { fail } from '../errors.js';
import type { Dataset, Sample } from './types.js';

/** The inputs of every run that a sample needs: itself, or the windows that the dataset cuts from it, one after another. */
export function* runsOf(sample: Sample, { windows, name }: Dataset): Generator<readonly Float32Array[]> {
  const [whole] = sample.inputs;
  if (windows === null || whole === undefined) {
    yield sample.inputs;
    return;
  }
  if (whole.length < windows.length) {
    throw fail('DATASET_MISMATCH', { dataset: name, reason: `sample ${sample.index} has ${whole.length} values, fewer than a window of ${windows.length}` });
  }
  for (let start = 0; start + windows.length <= whole.length; start += windows.stride) yield [whole.subarray(start, start + windows.length)];
}
