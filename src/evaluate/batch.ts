// Runs samples of raw tensors one after another.

import { pMapIterable } from 'p-map';
import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import type { OnProgress } from '../base/progress.js';
import type { Warning } from '../base/warnings.js';

import { type Distribution, distributionOf } from './metrics.js';
import { type LatencyBasis, type Runner, requireStreams } from './runner.js';
import { resetWarnings } from './warnings.js';

/** How often, and in what order, samples are run. */
export interface BatchOptions {
  /** Number of runs per sample; the latencies of all of them count. */
  readonly repeat?: number;
  /**
   * Whether each sample continues from the previous one: the model's variables are reset before the first sample only.
   */
  readonly stream?: boolean;
  readonly onProgress?: OnProgress<'run'>;
  readonly signal?: AbortSignal;
}

/** Outputs and latencies of a batch. */
export interface BatchResult {
  /** Number of samples. */
  readonly samples: number;
  /** All outputs of the model for every sample, one after another, in the model's types, little-endian. */
  readonly outputs: Uint8Array;
  /** Milliseconds for each sample, and where they were measured. */
  readonly latencyMs: Distribution & { readonly basis: LatencyBasis };
  readonly warnings: readonly Warning[];
}

/**
 * Runs samples of raw tensors one after another, or as many at once as the runner allows.
 * @param samples whole samples back to back: all inputs of the model in order, little-endian, in the model's types
 * @throws INPUT_SIZE
 */
export async function runBatch(
  runner: Runner,
  samples: Uint8Array,
  where: string,
  options: BatchOptions = {},
): Promise<BatchResult> {
  const sampleBytes = runner.inputs.reduce((sum, { bytes }) => sum + bytes, 0);
  const outputBytes = runner.outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  const count = samples.byteLength / sampleBytes;
  if (!Number.isInteger(count) || count === 0)
    throw fail('INPUT_SIZE', { where, bytes: samples.byteLength, sampleBytes });
  const outputs = new Uint8Array(count * outputBytes);
  const latencies: number[] = [];
  const repeat = options.repeat ?? 1;
  const total = count * repeat;
  const indices = function* (): Generator<number> {
    for (let run = 0; run < total; run++) yield Math.floor(run / repeat);
  };
  const stream = options.stream === true;
  if (stream) requireStreams(runner, 'a stream was requested');
  const concurrency = stream && runner.state !== 'none' ? 1 : runner.concurrency;
  const runSample = async (
    i: number,
  ): Promise<{ readonly i: number; readonly output: Uint8Array; readonly latencyMs: number }> => {
    const sample = samples.subarray(i * sampleBytes, (i + 1) * sampleBytes);
    return { i, ...(await runner.run(sample, options.signal, stream && i > 0)) };
  };
  const results = pMapIterable(indices(), runSample, { concurrency });
  options.onProgress?.({ step: 'run', done: 0, total });
  for await (const { i, output, latencyMs } of results) {
    latencies.push(latencyMs);
    outputs.set(output, i * outputBytes);
    options.onProgress?.({ step: 'run', done: latencies.length, total });
  }
  return {
    samples: count,
    outputs,
    latencyMs: { ...distributionOf(latencies), basis: runner.basis },
    warnings: stream || count === 1 ? [] : resetWarnings(runner.state),
  };
}

/** Interleaves one file per input: sample after sample, the inputs of each in order. */
export function interleave(files: readonly Uint8Array[], bytes: readonly number[]): Uint8Array {
  const [first] = files;
  const count = (first?.byteLength ?? 0) / (bytes[0] ?? 1);
  const sampleBytes = bytes.reduce((sum, length) => sum + length, 0);
  files.forEach((file, i) => {
    if (file.byteLength !== count * elementAt(bytes, i)) {
      throw fail('INPUT_SIZE', {
        where: `input file ${i + 1}`,
        bytes: file.byteLength,
        sampleBytes: elementAt(bytes, i),
      });
    }
  });
  const out = new Uint8Array(count * sampleBytes);
  for (let s = 0; s < count; s++) {
    let at = s * sampleBytes;
    files.forEach((file, i) => {
      const length = elementAt(bytes, i);
      out.set(file.subarray(s * length, (s + 1) * length), at);
      at += length;
    });
  }
  return out;
}
