// Runs the models of a served device on an accelerator.

import { AtollError, fail } from '../../base/errors.js';
import { yieldToEventLoop } from '../../base/event-loop.js';
import type { Model } from '../../formats/tflite/index.js';
import { compiledModelOf, newestRuntime, requireRuntime } from '../../targets/compiled/index.js';
import { drawable, drawSample, SeededBytes } from '../bundle/index.js';
import { atollStatusError, type DeviceEngine, type Execution, engineError, tickHz } from '../simulated/index.js';
import type { Accelerator } from './accelerator.js';
import { AcceleratedModel } from './compiled-model.js';
import type { EmulatedAccelerator } from './emulated/emulated-accelerator.js';

export interface AcceleratorEngine extends DeviceEngine {
  readonly close: () => Promise<void>;
}

export interface EngineOptions {
  /** Set if the accelerator is emulated, so that latencies are this machine's; null for a real one. */
  readonly emulated?: Pick<EmulatedAccelerator, 'knows' | 'rememberedMs'> | null;
}

/** @param attach opens the accelerator: at once, and again after it was lost */
export async function acceleratorEngine(
  attach: () => Promise<Accelerator>,
  { emulated = null }: EngineOptions = {},
): Promise<AcceleratorEngine> {
  const attachment = new Attachment(attach);
  await attachment.present();
  return {
    firmware: emulated === null ? 'apex_latest_single_ep' : 'emulated',
    runtimeVersion: String(newestRuntime),
    simulated: emulated !== null,
    features: ['edgetpu'],
    load: async (model) => {
      const loaded = refusing(() => modelFor(model));
      if (emulated !== null && !loaded.programs.every((program) => emulated.knows(program)))
        throw atollStatusError(
          'IMAGE_INVALID',
          'this accelerator is emulated, and the model is not among those that it emulates',
        );
      const accelerator = await attachment.present();
      for (const program of loaded.programs) await accelerator.cache(program);
      return execution(loaded, attachment, emulated?.rememberedMs ?? (() => 0));
    },
    close: () => attachment.close(),
  };
}

/** The accelerator, shared by all users: opened once, and again on demand after it was lost. */
class Attachment {
  private current: Promise<Accelerator | null> = Promise.resolve(null);
  private closed = false;

  constructor(private readonly attach: () => Promise<Accelerator>) {}

  present(): Promise<Accelerator> {
    const next = this.settled().then(async (there) => {
      if (there !== null && !there.broken && !this.closed) return there;
      await there?.close();
      if (this.closed) throw fail('DEVICE_CLOSED', { device: 'the accelerator', reason: 'it was closed' });
      return this.attach();
    });
    this.current = next;
    return next;
  }

  async close(): Promise<void> {
    this.closed = true;
    const there = await this.settled();
    this.current = Promise.resolve(null);
    await there?.close();
  }

  private settled(): Promise<Accelerator | null> {
    return this.current.catch(() => null);
  }
}

/** @throws EDGETPU_RUNTIME, EDGETPU_UNCOMPILED and what AcceleratedModel throws */
function modelFor(model: Model): AcceleratedModel {
  const compiled = compiledModelOf(model);
  if (compiled !== null) requireRuntime(compiled, newestRuntime, 'this accelerator');
  return new AcceleratedModel(model, 'the model');
}

/** @param rememberedMs time that memoized inferences would have taken */
function execution(model: AcceleratedModel, attachment: Attachment, rememberedMs: () => number): Execution {
  const { inputs, outputs } = model;
  const run: Execution['run'] = async (sample) => {
    // An emulated accelerator computes in this process, which must answer others too.
    await yieldToEventLoop();
    const accelerator = await attachment.present();
    const before = rememberedMs();
    const { output, latencyMs } = await model.run(accelerator, sample);
    const ms = latencyMs + rememberedMs() - before;
    return { output, ticks: Math.max(1, Math.round((ms * tickHz) / 1000)) };
  };
  return {
    inputs,
    outputs,
    // No interpreter runs here, so there is no arena.
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

/** An error of the model is not an error of the device. */
function refusing<Result>(make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    throw error instanceof AtollError ? engineError(error) : error;
  }
}
