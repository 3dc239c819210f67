// Runs samples on the active model of a device: several per request if its buffers allow, otherwise input by input.

import { defined, elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import {
  type LatencyBasis,
  modelWarnings,
  type Runner,
  type RunnerState,
  type RunResult,
} from '../../evaluate/index.js';
import type { Model } from '../../formats/tflite/index.js';
import { inputsAndOutputs, isStateful, type TensorInfo } from '../../simulator/index.js';
import { atollCommands, type DeviceDescription } from '../protocol/index.js';
import { inferenceTimeoutMs, type SmpClient, signalOf } from './smp-client.js';

/** Leaves room for header, keys and offsets in a packet with tensor data. */
const overheadBytes = 64;
/** Bytes for the latency of a sample in an answer for several. */
const ticksBytes = 5;

/** @param described the device's description of itself */
export function remoteRunner(
  client: SmpClient,
  model: Model,
  described: DeviceDescription,
  maxPacketBytes: number,
): Runner {
  const { inputs, outputs } = inputsAndOutputs(model);
  const basis: LatencyBasis = described.sim === true ? 'simulated' : 'device';
  const room = Math.max(16, maxPacketBytes - overheadBytes);
  const together = Math.floor(Math.min(room / bytesOf(inputs), room / (bytesOf(outputs) + ticksBytes)));
  const streams = described.features?.includes('stream') === true;
  const state: RunnerState = !isStateful(model) ? 'none' : streams ? 'continues' : 'reset';
  const common = { inputs, outputs, basis, warnings: modelWarnings(model), state };
  if (described.features?.includes('infer') === true && together >= 1) {
    const batches = new Batches(client, described.tick_hz, bytesOf(outputs), together);
    return {
      ...common,
      concurrency: together,
      run: (sample, signal, continues) =>
        continues === true && state !== 'none' ? batches.continue(sample, signal) : batches.run(sample, signal),
    };
  }
  return {
    ...common,
    concurrency: 1,
    run: async (sample, signal, continues) => {
      await writeInputs(client, sample, inputs, room, signal);
      const request = continues === true && state !== 'none' ? { stream: true } : {};
      const { n, ticks } = await client.request(atollCommands.run, request, {
        ...signalOf(signal),
        timeoutMs: inferenceTimeoutMs,
      });
      return {
        output: await readOutputs(client, outputs, signal),
        latencyMs: milliseconds(ticks / n, described.tick_hz, 'run'),
      };
    },
  };
}

interface Waiting {
  readonly sample: Uint8Array;
  readonly resolve: (result: RunResult) => void;
  readonly reject: (reason: unknown) => void;
}

/** Samples that are submitted in one turn of the event loop share a request. */
class Batches {
  private waiting: Waiting[] = [];

  constructor(
    private readonly client: SmpClient,
    private readonly tickHz: number,
    private readonly outputBytes: number,
    private readonly largest: number,
  ) {}

  run(sample: Uint8Array, signal: AbortSignal | undefined): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      // A copy: the caller may reuse its memory for the next sample.
      this.waiting.push({ sample: sample.slice(), resolve, reject });
      if (this.waiting.length === this.largest) void this.flush(signal);
      else if (this.waiting.length === 1) setImmediate(() => void this.flush(signal));
    });
  }

  private async flush(signal: AbortSignal | undefined): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    if (batch.length === 0) return;
    try {
      const data = Buffer.concat(batch.map(({ sample }) => sample));
      const results = await this.infer({ data }, batch.length, signal);
      for (const [i, { resolve }] of batch.entries()) resolve(elementAt(results, i));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  /** A sample that continues from the previous one goes alone: the flag applies to all samples of a request. */
  async continue(sample: Uint8Array, signal: AbortSignal | undefined): Promise<RunResult> {
    const [result] = await this.infer({ data: sample, stream: true }, 1, signal);
    return defined(result);
  }

  private async infer(
    request: { data: Uint8Array; stream?: boolean },
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<RunResult[]> {
    const answer = await this.client.request(atollCommands.infer, request, {
      ...signalOf(signal),
      timeoutMs: inferenceTimeoutMs,
    });
    if (answer.ticks.length !== count || answer.data.byteLength !== count * this.outputBytes) {
      const got = `${answer.ticks.length} times and ${answer.data.byteLength} bytes`;
      throw fail('DEVICE_ANSWER', {
        command: 'infer',
        reason: `${got} for ${count} sample(s) of ${this.outputBytes} bytes`,
      });
    }
    return answer.ticks.map((ticks, i) => ({
      output: answer.data.slice(i * this.outputBytes, (i + 1) * this.outputBytes),
      latencyMs: milliseconds(ticks, this.tickHz, 'infer'),
    }));
  }
}

function milliseconds(ticks: number, tickHz: number, command: string): number {
  if (ticks === 0)
    throw fail('DEVICE_ANSWER', { command, reason: 'it took 0 ticks: the clock of the device does not run' });
  return (1000 * ticks) / tickHz;
}

async function writeInputs(
  client: SmpClient,
  sample: Uint8Array,
  inputs: readonly TensorInfo[],
  chunk: number,
  signal?: AbortSignal,
): Promise<void> {
  let start = 0;
  for (const [input, { bytes }] of inputs.entries()) {
    for (let off = 0; off < bytes; off += chunk) {
      const data = sample.subarray(start + off, start + Math.min(bytes, off + chunk));
      await client.request(atollCommands.writeInput, { input, off, data }, signalOf(signal));
    }
    start += bytes;
  }
}

async function readOutputs(
  client: SmpClient,
  outputs: readonly TensorInfo[],
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const all = new Uint8Array(bytesOf(outputs));
  let start = 0;
  for (const [output, { bytes }] of outputs.entries()) {
    for (let off = 0; off < bytes; ) {
      const { data } = await client.request(atollCommands.readOutput, { output, off }, signalOf(signal));
      if (data.byteLength === 0 || off + data.byteLength > bytes) {
        throw fail('DEVICE_ANSWER', {
          command: 'read output',
          reason: `${data.byteLength} bytes at offset ${off} of ${bytes}`,
        });
      }
      all.set(data, start + off);
      off += data.byteLength;
    }
    start += bytes;
  }
  return all;
}

function bytesOf(tensors: readonly TensorInfo[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes, 0);
}
