// A run on a device, watched: every output is compared with the simulator's under the target's kernel profile, every
// latency kept.

import { type Distribution, distributionOf, type Runner } from '../../evaluate/index.js';
import type { KernelProfile } from '../../simulator/index.js';
import type { Target } from '../../targets/index.js';
import { differencesOf } from '../bundle/index.js';

/** So many runs at least stand behind a latency. */
export const minRuns = 30;

export interface DeviceAgreement {
  readonly kernelProfile: KernelProfile;
  readonly samples: number;
  /** Whose outputs are equal to the last bit. */
  readonly equalSamples: number;
  readonly elements: number;
  /** How many elements differ by so many units of the last place; what is equal counts under 0. */
  readonly lsbHistogram: Readonly<Record<string, number>>;
  readonly maxLsb: number;
  /** As the target demands of its devices. */
  readonly agrees: boolean;
}

export interface DeviceLatency {
  readonly basis: Runner['basis'];
  readonly runs: number;
  /** Of the first run after the model was loaded. */
  readonly first: number;
  /** Of the runs after it. */
  readonly steady: Distribution;
}

export interface RunMeasurement {
  /**
   * null where the simulator cannot say what is to be expected: of a compiled model whose uncompiled one is not known.
   */
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

  /** @param host whose outputs are those to be expected; null where nobody knows them */
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

  /** Runs the last sample again until there are enough latencies. */
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

  /** Of all that has run so far. */
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
