// An accelerator as what runs the models of a device that this process serves.

import { drawable, drawSample, SeededBytes } from '../bundle/index.js';
import { compiledModelOf, newestRuntime, requireRuntime } from '../edgetpu/index.js';
import { AtollError } from '../errors.js';
import { type Engine, type Execution, engineError, tickHz } from '../simdevice/index.js';
import type { Model } from '../tflite/index.js';
import type { Accelerator } from './accelerator.js';
import { AcceleratedModel } from './compiled-model.js';

export interface AcceleratorEngine extends Engine {
  readonly close: () => Promise<void>;
}

export interface EngineOptions {
  /** It is emulated: its latencies are this machine's. */
  readonly emulated?: boolean;
}

/** @param attach opens the accelerator: at once, and again where it was lost */
export async function acceleratorEngine(attach: () => Promise<Accelerator>, { emulated = false }: EngineOptions = {}): Promise<AcceleratorEngine> {
  let accelerator: Accelerator | null = await attach();
  const present = async (): Promise<Accelerator> => {
    accelerator ??= await attach();
    return accelerator;
  };
  /** What ends the accelerator leaves nothing to go on with: the next one who asks opens it anew. */
  const using = async <Result>(work: (accelerator: Accelerator) => Promise<Result>): Promise<Result> => {
    const mine = await present();
    try {
      return await work(mine);
    } catch (error) {
      if (accelerator === mine && mine.broken) {
        accelerator = null;
        await mine.close();
      }
      throw error;
    }
  };
  return {
    firmware: emulated ? 'emulated' : 'apex_latest_single_ep',
    runtimeVersion: String(newestRuntime),
    simulated: emulated,
    features: ['edgetpu'],
    load: async (model) => {
      const loaded = refusing(() => modelFor(model));
      await using(async (there) => {
        for (const program of loaded.programs) await there.cache(program);
      });
      return execution(loaded, using);
    },
    close: async () => {
      await accelerator?.close();
    },
  };
}

/** @throws EDGETPU_RUNTIME, EDGETPU_UNCOMPILED and what AcceleratedModel throws */
function modelFor(model: Model): AcceleratedModel {
  const compiled = compiledModelOf(model);
  if (compiled !== null) requireRuntime(compiled, newestRuntime, 'this accelerator');
  return new AcceleratedModel(model, 'the model');
}

function execution(model: AcceleratedModel, using: <Result>(work: (accelerator: Accelerator) => Promise<Result>) => Promise<Result>): Execution {
  const { inputs, outputs } = model;
  const run: Execution['run'] = async (sample) => {
    const { output, latencyMs } = await using((accelerator) => model.run(accelerator, sample));
    return { output, ticks: Math.max(1, Math.round((latencyMs * tickHz) / 1000)) };
  };
  return {
    inputs,
    outputs,
    // Nothing here interprets within a memory of its own.
    arenaBytes: 0,
    operators: null,
    run,
    latencies: async (count) => {
      const sample = drawable(inputs) ? drawSample(new SeededBytes(1), inputs) : new Uint8Array(model.inputBytes);
      const latencies: number[] = [];
      for (let i = 0; i < count; i++) latencies.push((1000 * (await run(sample)).ticks) / tickHz);
      return latencies;
    },
  };
}

/** What is wrong with a model is no fault of the device. */
function refusing<Result>(make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    throw error instanceof AtollError ? engineError(error) : error;
  }
}
