// Runs the simulator on several threads. Each thread has its own interpreter and runs whole samples; outputs are the
// same as on one thread.

import { Worker } from 'node:worker_threads';
import { AtollError, type ErrorCode, fail } from '../base/errors.js';
import { type Model, writeModel } from '../formats/tflite/index.js';
import { inputsAndOutputs, isStateful } from '../simulator/index.js';
import type { Runner, RunResult, SimulationOptions } from './runner.js';
import { modelWarnings } from './warnings.js';

export interface WorkerStart {
  readonly bytes: Uint8Array;
  readonly options: SimulationOptions;
}

/** Message from a worker: it is ready, or the result of a sample. */
export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly output: Uint8Array; readonly latencyMs: number }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly values: Readonly<Record<string, string | number>> };

export interface ThreadedRunner extends Runner {
  readonly close: () => Promise<void>;
}

/**
 * @param threads number of samples that run at once
 * @throws what the Interpreter throws
 */
export async function threadedRunner(
  model: Model,
  threads: number,
  options: SimulationOptions = {},
): Promise<ThreadedRunner> {
  const start: WorkerStart = { bytes: writeModel(model), options };
  const workers = Array.from({ length: threads }, () => new SimulatorThread(start));
  const close = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.close()));
  };
  try {
    await Promise.all(workers.map((worker) => worker.ready));
  } catch (error) {
    await close();
    throw error;
  }
  const idle = [...workers];
  const waiting: ((worker: SimulatorThread) => void)[] = [];
  const { inputs, outputs } = inputsAndOutputs(model, options.signature);
  return {
    inputs,
    outputs,
    basis: 'host',
    concurrency: threads,
    warnings: modelWarnings(model),
    // Each thread has its own variables.
    state: isStateful(model) ? 'reset' : 'none',
    run: async (sample, signal) => {
      const worker = idle.pop() ?? (await new Promise<SimulatorThread>((resolve) => waiting.push(resolve)));
      try {
        signal?.throwIfAborted();
        return await worker.run(sample);
      } finally {
        const next = waiting.shift();
        if (next === undefined) idle.push(worker);
        else next(worker);
      }
    },
    close,
  };
}

class SimulatorThread {
  readonly ready: Promise<void>;
  private readonly worker: Worker;
  private settle: {
    readonly resolve: (answer: WorkerAnswer) => void;
    readonly reject: (error: unknown) => void;
  } | null = null;

  constructor(start: WorkerStart) {
    this.worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: start });
    this.worker.on('message', (answer: WorkerAnswer) => this.settle?.resolve(answer));
    this.worker.on('error', (error) =>
      this.settle?.reject(fail('INTERNAL', { reason: `a simulator thread ended: ${error.message}` }, error)),
    );
    this.ready = this.answer().then(() => undefined);
    this.ready.catch(() => undefined);
  }

  async run(sample: Uint8Array): Promise<RunResult> {
    const answer = this.answer();
    this.worker.postMessage(sample);
    const done = await answer;
    if (done.kind !== 'done')
      throw fail('INTERNAL', { reason: `unexpected message from a simulator thread: ${done.kind}` });
    return { output: done.output, latencyMs: done.latencyMs };
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private async answer(): Promise<WorkerAnswer> {
    const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    if (answer.kind === 'failed') throw new AtollError(answer.code, answer.values);
    return answer;
  }
}
