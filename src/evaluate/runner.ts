// Runs a model on samples: on this host's simulator, or on a device.

import { Mutex } from 'async-mutex';
import { fail } from '../base/errors.js';
import { yieldToEventLoop } from '../base/event-loop.js';
import type { Warning } from '../base/warnings.js';
import type { Model } from '../formats/tflite/index.js';
import { Interpreter, type InterpreterOptions, isStateful, type TensorInfo } from '../simulator/index.js';
import { modelWarnings } from './warnings.js';

/** Source of a latency: this machine's clock, a target's latency model, a simulated device, or a device's own clock. */
export type LatencyBasis = 'host' | 'estimate' | 'simulated' | 'device';

/** The outputs of one sample, one after another, and its latency. */
export interface RunResult {
  /** All outputs back to back. */
  readonly output: Uint8Array;
  /** Milliseconds. */
  readonly latencyMs: number;
}

/** Runs a model, on this host or on a device. */
export interface Runner {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Where latencies are measured. */
  readonly basis: LatencyBasis;
  /** Maximum number of samples in flight. */
  readonly concurrency: number;
  /** Warnings about the model, before any run. */
  readonly warnings: readonly Warning[];
  /** Whether the model has state, and if so, whether a run can continue from the previous one. */
  readonly state: RunnerState;
  /** @param continues whether variables keep their values from the previous run; otherwise they are reset */
  readonly run: (sample: Uint8Array, signal?: AbortSignal, continues?: boolean) => Promise<RunResult>;
}

/**
 * - none: the model keeps no state
 * - continues: it can continue from one sample to the next
 * - reset: it is reset before every sample
 */
export type RunnerState = 'none' | 'continues' | 'reset';

/** @throws STREAM_UNSUPPORTED if the runner cannot keep state between samples */
export function requireStreams({ state }: Runner, reason: string): void {
  if (state === 'reset') throw fail('STREAM_UNSUPPORTED', { reason });
}

/** Options of the simulator on this host. */
export type SimulationOptions = Pick<InterpreterOptions, 'profile' | 'signature'>;

/** A runner on this host's simulator. */
export function hostRunner(model: Model, options: SimulationOptions = {}): Runner {
  const interpreter = new Interpreter(model, options);
  const turns = new Mutex();
  return {
    inputs: interpreter.inputs,
    outputs: interpreter.outputs,
    basis: 'host',
    concurrency: 1,
    warnings: modelWarnings(model),
    state: isStateful(model) ? 'continues' : 'none',
    run: (sample, signal, continues = false) =>
      // The interpreter holds one sample at a time, and yields to the event loop while it runs.
      turns.runExclusive(async () => {
        await yieldToEventLoop(signal);
        const start = performance.now();
        if (!continues) interpreter.reset();
        const output = await interpreter.streamInTurns(sample, signal);
        return { output, latencyMs: performance.now() - start };
      }),
  };
}

/** Splits a run's output into one view per output tensor. */
export function splitOutputs(output: Uint8Array, outputs: readonly TensorInfo[]): Uint8Array[] {
  let at = 0;
  return outputs.map(({ bytes }) => {
    const view = output.subarray(at, at + bytes);
    at += bytes;
    return view;
  });
}
