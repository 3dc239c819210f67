// A measured run on a device: every output is compared with the simulator's under the target's kernel profile, and
// every latency is kept.

import { type Distribution, distributionOf, type Runner } from '../../evaluate/index.js';
import type { KernelProfile } from '../../simulator/index.js';
import type { Target } from '../../targets/index.js';
import { differencesOf } from '../bundle/index.js';

/** Minimum number of runs for a latency. */
export const minRuns = 30;

/** How a device's outputs agree with the simulator's. */
export interface DeviceAgreement {
  /** The profile with which the simulator computed. */
  readonly kernelProfile: KernelProfile;
  readonly samples: number;
  /** Samples whose outputs are equal to the last bit. */
  readonly equalSamples: number;
  /** Number of compared output values. */
  readonly elements: number;
  /** Number of elements by difference in units of the last place; equal elements count under 0. */
  readonly lsbHistogram: Readonly<Record<string, number>>;
  /** The largest difference, in units of the last place. */
  readonly maxLsb: number;
  /** As the target requires. */
  readonly agrees: boolean;
}

export interface DeviceLatency {
  readonly basis: Runner['basis'];
  readonly runs: number;
  /** First run after the model was loaded. */
  readonly first: number;
  /** Later runs. */
  readonly steady: Distribution;
}

export interface RunMeasurement {
  /** null if the simulator cannot compute the expected outputs: for a compiled model without its uncompiled one. */
  readonly agreement: DeviceAgreement | null;
  readonly latencyMs: DeviceLatency;
}

export class MeasuredRun {
  readonly runner: Runner;
  private readonly latencies: number[] = [];
  private readonly histogram = new Map<number, number>();
  private samples = 0;
  private equal = 0;
  private last: Uint8Array | null = null;

  /** @param host runner for the expected outputs; null if they are unknown */
  constructor(
    private readonly remote: Runner,
    private readonly target: Target,
    private readonly host: Runner | null,
  ) {
    this.runner = {
      ...remote,
      run: async (sample, signal, continues) => {
        const kept = sample.slice();
        const result = await remote.run(sample, signal, continues);
        this.latencies.push(result.latencyMs);
        if (host !== null) this.compare((await host.run(kept, signal, continues)).output, result.output);
        this.last = kept;
        return result;
      },
    };
  }

  /** Repeats the last sample until there are enough latencies. */
  async finish(signal?: AbortSignal): Promise<RunMeasurement> {
    const { last } = this;
    while (last !== null && this.latencies.length < minRuns)
      this.latencies.push((await this.remote.run(last, signal)).latencyMs);
    return { agreement: this.host === null ? null : this.agreement(), latencyMs: this.latency() };
  }

  private compare(expected: Uint8Array, actual: Uint8Array): void {
    this.samples += 1;
    let equal = true;
    for (const difference of differencesOf(expected, actual, this.remote.outputs)) {
      this.histogram.set(difference, (this.histogram.get(difference) ?? 0) + 1);
      equal &&= difference === 0;
    }
    if (equal) this.equal += 1;
  }

  /** Over all runs so far. */
  agreement(): DeviceAgreement {
    const sorted = [...this.histogram].sort(([a], [b]) => a - b);
    const elements = sorted.reduce((sum, [, count]) => sum + count, 0);
    const { agreement } = this.target;
    const [allowed, share] = agreement === 'exact' ? [0, 1] : [agreement.maxLsb, agreement.minShare];
    const within = sorted.reduce((sum, [difference, count]) => sum + (difference <= allowed ? count : 0), 0);
    return {
      kernelProfile: this.target.runtime.kernelProfile,
      samples: this.samples,
      equalSamples: this.equal,
      elements,
      lsbHistogram: Object.fromEntries(sorted),
      maxLsb: sorted.at(-1)?.[0] ?? 0,
      agrees: within >= share * elements,
    };
  }

  private latency(): DeviceLatency {
    const [first = 0, ...rest] = this.latencies;
    return {
      basis: this.remote.basis,
      runs: this.latencies.length,
      first,
      steady: distributionOf(rest.length === 0 ? [first] : rest),
    };
  }
}
