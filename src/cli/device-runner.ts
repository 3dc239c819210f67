// The runner that a verb asked for: this host's simulator, or the device of --device, which then must run the model.

import type { Measurement, OperatorTicks } from '../device/index.js';
import { fail } from '../errors.js';
import type { Runner, SimulationOptions } from '../evaluate/index.js';
import type { KernelProfile } from '../simulator/index.js';
import type { Target } from '../targets/index.js';
import type { Model } from '../tflite/index.js';
import type { Context } from './verb.js';

export interface DeviceMeasurement extends Measurement {
  /** null where the device does not tell. */
  readonly operators: readonly OperatorTicks[] | null;
}

export interface OpenedRunner {
  readonly runner: Runner;
  /** What the device's interpreter uses; null on the host. */
  readonly arenaBytes: number | null;
  /** What was seen of a device while it ran; null on the host. */
  readonly measure: (() => Promise<DeviceMeasurement>) | null;
  readonly close: () => Promise<void>;
}

/** Options of a verb that say what the simulator runs, and how. */
export function simulationOptions(options: Readonly<Record<string, unknown>>): SimulationOptions {
  return { profile: options.kernels as KernelProfile | undefined, signature: options.signature as string | undefined };
}

export async function openRunner(context: Context, bytes: Uint8Array, model: Model, options: Readonly<Record<string, unknown>>): Promise<OpenedRunner> {
  if (options.device === undefined) {
    const { hostRunner, threadedRunner } = await import('../evaluate/index.js');
    const simulation = simulationOptions(options);
    const threads = (options.threads as number | undefined) ?? 1;
    if (threads === 1) return { runner: hostRunner(model, simulation), arenaBytes: null, measure: null, close: async () => undefined };
    const runner = await threadedRunner(model, threads, simulation);
    return { runner, arenaBytes: null, measure: null, close: () => runner.close() };
  }
  if (options.signature !== undefined) throw fail('USAGE', { reason: '--signature is for the simulator; a device runs the main subgraph' });
  const device = await connect(context, String(options.device));
  try {
    // Pushing what the device runs already sends nothing but the question.
    const target = await targetFor(context, device, options);
    const pushed = await pushModel(context, String(options.device), device, target, bytes, model);
    const { MeasuredRun } = await import('../device/index.js');
    const run = new MeasuredRun(await device.runner(model, pushed.model, context.signal), model, target);
    return {
      runner: run.runner,
      arenaBytes: pushed.arenaBytes,
      measure: async () => ({ ...(await run.finish(context.signal)), operators: await device.profile(context.signal) }),
      close: () => device.close(),
    };
  } catch (error) {
    await device.close();
    throw error;
  }
}

/** Opens a device; what it logs goes where progress goes. */
export async function connect({ progress }: Context, uri: string): Promise<import('../device/index.js').DeviceClient> {
  const { openDevice } = await import('../open-device.js');
  return openDevice(uri, { onLog: (line) => progress.note(`device: ${line}`) });
}

/** Tells of a push while it goes on. */
export function pushReporting({ progress, signal }: Context): Pick<import('../device/index.js').PushOptions, 'signal' | 'onProgress' | 'onPlan'> {
  return {
    signal,
    onProgress: (step, value) => progress.update(step, value),
    onPlan: ({ bytes, requests, expectedMs, bottleneck }) => {
      // What is over in a moment needs no announcement.
      if (expectedMs < 1000) return;
      const most = bottleneck === 'line' ? 'the line is what it takes' : 'most of it waiting for answers';
      progress.note(
        `upload: ${bytes.toLocaleString('en')} bytes in ${requests} packets, about ${Math.ceil(expectedMs / 1000)} s (${most}), and what the flash takes`,
      );
    },
  };
}

/** How a verb may have a model travel. */
export type Travel = Pick<import('../device/index.js').PushOptions, 'compress' | 'window'>;

/** As --target says, or the device. */
export async function targetFor(
  { signal }: Context,
  device: import('../device/index.js').DeviceClient,
  { device: uri, target }: Readonly<Record<string, unknown>>,
): Promise<Target> {
  const { targetOfDevice } = await import('../open-device.js');
  return targetOfDevice(device, { uri: String(uri), named: target as string | undefined, signal });
}

/** Builds the slot image for the device's target, checks that it fits, and pushes it. */
export async function pushModel(
  context: Context,
  uri: string,
  device: import('../device/index.js').DeviceClient,
  target: Target,
  bytes: Uint8Array,
  model: Model,
  travel: Travel = {},
) {
  const [{ buildFittingImage }, { push }, { compiledModelOf, newestRuntime, requireRuntime }] = await Promise.all([
    import('../bundle/index.js'),
    import('../device/index.js'),
    import('../edgetpu/index.js'),
  ]);
  const compiled = compiledModelOf(model);
  if (compiled !== null) requireRuntime(compiled, target.runtime.version ?? newestRuntime, uri);
  const { image } = buildFittingImage(bytes, model, target);
  return push(device, image, { ...travel, ...pushReporting(context) });
}
