// The host's side of a device: typed requests, and a runner that runs samples on the device.

import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { AtollError, fail } from '../../base/errors.js';
import { hex } from '../../base/hashes.js';
import type { Runner } from '../../evaluate/index.js';
import { builtinOperatorName, type Model } from '../../formats/tflite/index.js';
import { Interpreter } from '../../simulator/index.js';
import type { Target } from '../../targets/index.js';
import { compareOutputs, drawSample, SeededBytes } from '../bundle/index.js';
import {
  atollCommands,
  type DeviceDescription,
  osCommands,
  type ResponseOf,
  type SlotState,
  SmpStatus,
} from '../protocol/index.js';
import type { Transport } from '../transport/index.js';
import { remoteRunner } from './remote-runner.js';
import { inferenceTimeoutMs, type RequestOptions, SmpClient, signalOf, statusError } from './smp-client.js';

/** Feature names of firmware-protocol/README.md. */
const protocolVersion = 1;
/** More than any model has. */
const maxOperators = 65_536;
/** Timeout for a device to return to its bus. */
const comingBackMs = 10_000;
/** A request to a device that is booting is lost: repeat it soon. */
const bootRetries = { timeoutMs: 150, attempts: 8 };

/** The time that one operator takes on a device. */
export interface OperatorTicks {
  readonly op: string;
  /** Ticks of the device's counter. */
  readonly ticks: number;
  readonly latencyMs: number;
}

/** How a device answers a challenge: inputs that are drawn from a seed. */
export interface ChallengeResult {
  readonly samples: number;
  readonly agrees: boolean;
}

/** The commands of a device with Atoll's firmware, over any transport. */
export class DeviceClient {
  /** @internal */
  readonly client: SmpClient;
  private described: DeviceDescription | null = null;

  /** @param reopen opens the device again if a reset removes it from its bus and may change its id; null if it stays */
  constructor(
    transport: Transport,
    defaults: Pick<RequestOptions, 'timeoutMs' | 'attempts'> = {},
    private readonly reopen: (() => Promise<Transport>) | null = null,
  ) {
    this.client = new SmpClient(transport, defaults);
  }

  /**
   * Requested once, and again after a reset.
   * @throws DEVICE_PROTOCOL; DEVICE_FILES_ONLY if the device has SMP but no models
   */
  async describe(signal?: AbortSignal): Promise<DeviceDescription> {
    if (this.described !== null) return this.described;
    const answer = await this.client.ask(atollCommands.describe, {}, signalOf(signal));
    if (answer.ok) {
      if (answer.value.proto !== protocolVersion)
        throw fail('DEVICE_PROTOCOL', { device: this.client.name, proto: answer.value.proto, known: protocolVersion });
      this.described = answer.value;
      return answer.value;
    }
    if (answer.status.group === null && answer.status.rc === SmpStatus.ENOTSUP)
      throw fail('DEVICE_FILES_ONLY', { device: this.client.name });
    throw statusError(atollCommands.describe, answer.status);
  }

  /** The device's slots, in order. */
  async slots(signal?: AbortSignal): Promise<readonly SlotState[]> {
    return (await this.client.request(atollCommands.slots, {}, signalOf(signal))).slots;
  }

  /** Echoes a text. @returns the round-trip time in milliseconds */
  async echo(text: string, signal?: AbortSignal): Promise<number> {
    const start = performance.now();
    const { r } = await this.client.request(osCommands.echo, { d: text }, signalOf(signal));
    if (r !== text) throw fail('DEVICE_ANSWER', { command: 'echo', reason: 'it echoed a different text' });
    return performance.now() - start;
  }

  /**
   * Sent once: a repeated reset would be a second boot, which counts against a pending model. Resolves when the device
   * answers again.
   */
  async reset(signal?: AbortSignal): Promise<void> {
    this.described = null;
    await this.client.request(osCommands.reset, {}, { ...signalOf(signal), attempts: 1 });
    const alive = { ...signalOf(signal), ...bootRetries };
    try {
      await this.client.request(osCommands.echo, { d: '' }, alive);
    } catch (error) {
      if (!(error instanceof AtollError && error.code === 'DEVICE_CLOSED') || this.reopen === null) throw error;
      this.client.attach(await comeBack(this.reopen, error, signal));
      await this.client.request(osCommands.echo, { d: '' }, alive);
    }
  }

  /** SHA-256 of the model that the device runs, in hexadecimal; null if it runs none. */
  async activeModel(signal?: AbortSignal): Promise<string | null> {
    const active = (await this.slots(signal)).find((slot) => slot.active);
    return active?.model === undefined ? null : hex(active.model);
  }

  /**
   * A runner for the device's active model.
   * @param sha256 of the model's file, in hexadecimal: the device must run exactly this model
   * @throws DEVICE_OTHER_MODEL, DEVICE_*
   */
  async runner(model: Model, sha256: string, signal?: AbortSignal): Promise<Runner> {
    const actual = await this.activeModel(signal);
    if (actual !== sha256)
      throw fail('DEVICE_OTHER_MODEL', { device: this.client.name, actual: actual ?? 'none', expected: sha256 });
    const [described, { maxPacketBytes }] = [await this.describe(signal), await this.client.packetLimits(signal)];
    return remoteRunner(this.client, model, described, maxPacketBytes);
  }

  /** Time of each operator in the last run; null if the device does not report it. */
  async profile(signal?: AbortSignal): Promise<readonly OperatorTicks[] | null> {
    const { features, tick_hz } = await this.describe(signal);
    if (features?.includes('profile') !== true) return null;
    const operators: OperatorTicks[] = [];
    for (let off: number | undefined = 0; off !== undefined; ) {
      const { ops, next }: ResponseOf<typeof atollCommands.profile> = await this.client.request(
        atollCommands.profile,
        { off },
        signalOf(signal),
      );
      operators.push(
        ...ops.map(([code, ticks]) => ({ op: builtinOperatorName(code), ticks, latencyMs: (1000 * ticks) / tick_hz })),
      );
      if (next !== undefined && (next <= off || next > maxOperators))
        throw fail('DEVICE_ANSWER', { command: 'profile', reason: `it continues at ${next} after ${off}` });
      off = next;
    }
    return operators;
  }

  /**
   * Requests the outputs for inputs drawn from a seed, which only a device that runs this model can know: their CRC, or
   * the outputs themselves if the target's agreement is not exact.
   */
  async challenge(
    model: Model,
    target: Target,
    seed: number,
    samples = 4,
    signal?: AbortSignal,
  ): Promise<ChallengeResult> {
    const exact = target.agreement === 'exact';
    const request = exact ? { seed, n: samples } : { seed, n: samples, outputs: true };
    const answer = await this.client.request(atollCommands.challenge, request, {
      ...signalOf(signal),
      timeoutMs: inferenceTimeoutMs,
    });
    // If the outputs themselves are returned, fewer samples may fit into the answer.
    if (answer.n > samples || (exact && answer.n < samples))
      throw fail('DEVICE_ANSWER', { command: 'challenge', reason: `${answer.n} samples instead of ${samples}` });
    const interpreter = new Interpreter(model, { profile: target.runtime.kernelProfile });
    const source = new SeededBytes(seed);
    const expected = new Uint8Array(answer.n * interpreter.outputBytes);
    for (let i = 0; i < answer.n; i++)
      expected.set(interpreter.run(drawSample(source, interpreter.inputs)), i * interpreter.outputBytes);
    const agrees = exact
      ? answer.crc === crc32(expected)
      : compareOutputs(expected, answer.outputs ?? new Uint8Array(0), interpreter.outputs, target.agreement).agrees;
    return { samples: answer.n, agrees };
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** @throws gone if it does not come back */
async function comeBack(reopen: () => Promise<Transport>, gone: AtollError, signal?: AbortSignal): Promise<Transport> {
  for (const until = Date.now() + comingBackMs; Date.now() < until; ) {
    await delay(100, undefined, signalOf(signal));
    const transport = await reopen().catch((error: unknown) => {
      if (!(error instanceof AtollError)) throw error;
    });
    if (transport !== undefined) return transport;
  }
  throw gone;
}
