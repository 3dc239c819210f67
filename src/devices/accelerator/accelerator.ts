// An Edge TPU that is open: programs run on it, with their parameters cached where they are still there.

import { fail } from '../../base/errors.js';
import { acknowledgeWarning, bringUp, fatalErrorOf, type Performance, shutDown } from './bring-up.js';
import { execute } from './execute.js';
import type { AcceleratorLink } from './link.js';
import { type AcceleratorProgram, inputsAsSent, type LoadedExecutable, outputsFrom } from './program.js';

export interface AcceleratorOptions {
  readonly performance?: Performance;
  /** Called with what the chip warns of, such as of its temperature. */
  readonly onWarning?: (text: string) => void;
}

/** As libedgetpu1-std has it: half of the clock that there is, and less heat. */
export const defaultPerformance: Performance = 'high';

export class Accelerator {
  /** What the chip has cached, all of one token. */
  private readonly cached = new Set<LoadedExecutable>();
  private token = 0n;
  private before: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly link: AcceleratorLink,
    readonly performance: Performance,
  ) {}

  /** Whether an error has ended it: it must be attached anew. */
  get broken(): boolean {
    return this.link.broken;
  }

  get name(): string {
    return this.link.name;
  }

  /**
   * @param packetBytes of the endpoint that outputs come from.
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

  /** Parameters that it does not have yet go there. */
  cache(program: AcceleratorProgram): Promise<void> {
    return this.exclusively(() => this.cacheNow(program));
  }

  /**
   * One inference.
   * @param tensors one per input layer, in order, as the layer's shape and type say
   * @returns one per output layer
   */
  async run(program: AcceleratorProgram, tensors: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const { main } = program;
    main.executable.inputs.forEach(({ name, bytes }, i) => {
      const given = tensors[i]?.byteLength ?? 0;
      if (given !== bytes) throw fail('INPUT_SIZE', { where: `input ${name}`, bytes: given, sampleBytes: bytes });
    });
    const received = await this.exclusively(async () => {
      await this.cacheNow(program);
      return this.execute(main, inputsAsSent(main.executable, tensors));
    });
    return outputsFrom(main.executable, received);
  }

  /** Stops the chip, and lets it go. */
  async close(): Promise<void> {
    // A device that is gone cannot be stopped any more.
    await shutDown(this.link).catch(() => undefined);
    await this.link.close();
  }

  /** As libedgetpu's driver.cc does (SubmitInferenceRequest): what has another token drives out all that is there. */
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

  /** Whatever ends it early leaves the chip in the midst of a program: it must be attached anew. */
  private async execute(program: LoadedExecutable, inputs: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    try {
      return await execute(this.link, program, inputs);
    } catch (error) {
      if (!this.link.broken) await this.link.close();
      throw error;
    }
  }

  /** One execution after another, whoever asks. */
  private async exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.before.then(work, work);
    this.before = mine.catch(() => undefined);
    return mine;
  }
}
