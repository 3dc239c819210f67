import { fail } from '../base/errors.js';
import type { Dataset, Sample } from './types.js';

/** One inference that a sample needs. */
export interface SampleRun {
  /** Real values by input. */
  readonly inputs: readonly Float32Array[];
  /** Whether a stateful model continues from the previous run. */
  readonly continues: boolean;
}

/** The runs that a sample needs: one, or one for each window that the dataset cuts from it. */
export function* runsOf(
  { inputs, index, continues }: Sample,
  { windows, name, state }: Pick<Dataset, 'windows' | 'name' | 'state'>,
): Generator<SampleRun> {
  const [whole] = inputs;
  if (windows === null || whole === undefined) {
    yield { inputs, continues };
    return;
  }
  if (whole.length < windows.length) {
    throw fail('DATASET_MISMATCH', {
      dataset: name,
      reason: `sample ${index} has ${whole.length} values, fewer than a window of ${windows.length}`,
    });
  }
  for (let start = 0; start + windows.length <= whole.length; start += windows.stride)
    yield { inputs: [whole.subarray(start, start + windows.length)], continues: state === 'per-file' && start > 0 };
}
