// What can run a model on samples: the simulator on this host, or a device at the other end of a transport.

import { fail } from '../base/errors.js';
import { yieldToEventLoop } from '../base/event-loop.js';
import type { Warning } from '../base/warnings.js';
import type { Model } from '../formats/tflite/index.js';
import { Interpreter, type InterpreterOptions, isStateful, type TensorInfo } from '../simulator/index.js';
import { modelWarnings } from './warnings.js';

/**
 * Where a latency comes from: this machine's clock, a target's latency model, a simulated device, a device's own ticks.
 */
export type LatencyBasis = 'host' | 'estimate' | 'simulated' | 'device';

export interface RunResult {
  /** All outputs one after another. */
  readonly output: Uint8Array;
  readonly latencyMs: number;
}

export interface Runner {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly basis: LatencyBasis;
  /** How many samples may be under way at once. */
  readonly concurrency: number;
  /** What is known of the model before it runs. */
  readonly warnings: readonly Warning[];
  /** Whether the model keeps values between invocations, and if so, whether a run can go on from the one before. */
  readonly state: RunnerState;
  /** @param continues whether variables keep what the run before left; otherwise they are reset */
  readonly run: (sample: Uint8Array, signal?: AbortSignal, continues?: boolean) => Promise<RunResult>;
}

export type RunnerState = 'none' | 'continues' | 'reset';

/** @throws STREAM_UNSUPPORTED where samples of a stream cannot be told from others */
export function requireStreams({ state }: Runner, reason: string): void {
  if (state === 'reset') throw fail('STREAM_UNSUPPORTED', { reason });
}

/** What a simulator on this host is to run, and how. */
export type SimulationOptions = Pick<InterpreterOptions, 'profile' | 'signature'>;

/** The simulator on this host. */
export function hostRunner(model: Model, options: SimulationOptions = {}): Runner {
  const interpreter = new Interpreter(model, options);
  return {
    inputs: interpreter.inputs,
    outputs: interpreter.outputs,
    basis: 'host',
    concurrency: 1,
    warnings: modelWarnings(model),
    state: isStateful(model) ? 'continues' : 'none',
    run: async (sample, signal, continues = false) => {
      await yieldToEventLoop(signal);
      const start = performance.now();
      if (!continues) interpreter.reset();
      const output = await interpreter.streamInTurns(sample, signal);
      return { output, latencyMs: performance.now() - start };
    },
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
