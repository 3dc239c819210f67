// An open Edge TPU: runs programs and caches their parameters.

import { Mutex } from 'async-mutex';
import { fail } from '../../base/errors.js';
import { acknowledgeWarning, bringUp, fatalErrorOf, type Performance, shutDown } from './bring-up.js';
import { execute } from './execute.js';
import type { AcceleratorLink } from './link.js';
import { type AcceleratorProgram, inputsAsSent, type LoadedExecutable, outputsFrom } from './program.js';

export interface AcceleratorOptions {
  readonly performance?: Performance;
  /** Called with warnings of the chip, for example about its temperature. */
  readonly onWarning?: (text: string) => void;
}

/** As in libedgetpu1-std: half of the maximum clock, with less heat. */
export const defaultPerformance: Performance = 'high';

export class Accelerator {
  /** Parameters in the chip's cache, all with the same token. */
  private readonly cached = new Set<LoadedExecutable>();
  private token = 0n;
  /** Executions are serialized, whoever requests them. */
  private readonly turns = new Mutex();

  private constructor(
    private readonly link: AcceleratorLink,
    readonly performance: Performance,
  ) {}

  /** Whether an error has ended it: it must be attached again. */
  get broken(): boolean {
    return this.link.broken;
  }

  get name(): string {
    return this.link.name;
  }

  /**
   * @param packetBytes packet size of the output endpoint
   * @throws EDGETPU_START, EDGETPU_TRANSFER, EDGETPU_SILENT, EDGETPU_ANSWER, DEVICE_CLOSED
   */
  static async start(
    link: AcceleratorLink,
    packetBytes: number,
    options: AcceleratorOptions = {},
  ): Promise<Accelerator> {
    const { performance = defaultPerformance, onWarning = () => undefined } = options;
    try {
      await bringUp(link, { performance, packetBytes });
      link.watch({
        explain: () => fatalErrorOf(link),
        warned: async (index) => onWarning(`${link.name} warns: ${await acknowledgeWarning(link, index)}`),
      });
      return new Accelerator(link, performance);
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  /** Sends the parameters that are not cached yet. */
  cache(program: AcceleratorProgram): Promise<void> {
    return this.turns.runExclusive(() => this.cacheNow(program));
  }

  /**
   * Runs one inference.
   * @param tensors one per input layer, in order, in the layer's shape and type
   * @returns one tensor per output layer
   */
  async run(program: AcceleratorProgram, tensors: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const { main } = program;
    main.executable.inputs.forEach(({ name, bytes }, i) => {
      const given = tensors[i]?.byteLength ?? 0;
      if (given !== bytes) throw fail('INPUT_SIZE', { where: `input ${name}`, bytes: given, sampleBytes: bytes });
    });
    const received = await this.turns.runExclusive(async () => {
      await this.cacheNow(program);
      return this.execute(main, inputsAsSent(main.executable, tensors));
    });
    return outputsFrom(main.executable, received);
  }

  /** Stops the chip and closes the device. */
  async close(): Promise<void> {
    // A device that was unplugged cannot be stopped.
    await shutDown(this.link).catch(() => undefined);
    await this.link.close();
  }

  /** As in libedgetpu's driver.cc (SubmitInferenceRequest): caching parameters with another token evicts all others. */
  private async cacheNow({ main, caching }: AcceleratorProgram): Promise<void> {
    const { parameterCachingToken: token } = main.executable;
    if (token === 0n || token !== this.token) {
      this.cached.clear();
      this.token = 0n;
    }
    if (caching === null || this.cached.has(caching)) return;
    await this.execute(caching, []);
    this.token = caching.executable.parameterCachingToken;
    this.cached.add(caching);
  }

  /** An execution that ends early leaves the chip in the middle of a program: it must be attached again. */
  private async execute(program: LoadedExecutable, inputs: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    try {
      return await execute(this.link, program, inputs);
    } catch (error) {
      if (!this.link.broken) await this.link.close();
      throw error;
    }
  }
}
