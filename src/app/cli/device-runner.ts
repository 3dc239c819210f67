// Creates the runner for a verb: this host's simulator, or the device of --device, which must run the model.

import path from 'node:path';
import { fail } from '../../base/errors.js';
import type { Runner, SimulationOptions } from '../../evaluate/index.js';
import type { Model } from '../../formats/tflite/index.js';
import type { KernelProfile } from '../../simulator/index.js';
import type { Target } from '../../targets/index.js';
import type { DeviceMeasurement } from '../documents/index.js';
import { besideOf, uncompiledOf } from './uncompiled.js';
import type { Context } from './verb.js';

export interface OpenedRunner {
  readonly runner: Runner;
  /** Arena size that the device's interpreter uses; null on the host. */
  readonly arenaBytes: number | null;
  /** Measurements of a device while it ran; null on the host. */
  readonly measure: (() => Promise<DeviceMeasurement>) | null;
  /** The simulator beside a device, with memoized results; null if there is none. */
  readonly host: Runner | null;
  readonly close: () => Promise<void>;
}

/** Options of a verb that select what the simulator runs. */
export interface SimulatorOptions {
  readonly kernels?: KernelProfile;
  readonly signature?: string;
  readonly threads?: number;
}

/** Options of a verb that select the device. */
export interface DeviceOptions {
  readonly device?: string;
  readonly target?: string;
  readonly uncompiled?: string;
}

export function simulationOptions(options: SimulatorOptions): SimulationOptions {
  return { profile: options.kernels, signature: options.signature };
}

export async function openRunner(
  context: Context,
  file: string,
  bytes: Uint8Array,
  model: Model,
  options: SimulatorOptions & DeviceOptions,
): Promise<OpenedRunner> {
  if (options.device === undefined) {
    const { hostRunner, threadedRunner } = await import('../../evaluate/index.js');
    const simulation = await withKernels(context, model, simulationOptions(options));
    const threads = options.threads ?? 1;
    if (threads === 1)
      return {
        runner: hostRunner(model, simulation),
        arenaBytes: null,
        measure: null,
        host: null,
        close: async () => undefined,
      };
    const runner = await threadedRunner(model, threads, simulation);
    return { runner, arenaBytes: null, measure: null, host: null, close: () => runner.close() };
  }
  requireMainSubgraph(options);
  const uncompiled = await uncompiledOf(context, file, model, options);
  const device = await connect(
    context,
    options.device,
    uncompiled === null ? undefined : { compiled: model, uncompiled },
  );
  try {
    // If the device already runs the model, a push sends only the query.
    const target = await targetFor(context, device, { ...options, device: options.device });
    const pushed = await pushModel(context, file, device, target, bytes, model, uncompiled);
    const [{ MeasuredRun }, { hostRunner, memoizeRunner }, { simulatedProfile }] = await Promise.all([
      import('../../devices/client/index.js'),
      import('../../evaluate/index.js'),
      import('../../targets/index.js'),
    ]);
    const expected = (await takesCompiled(device, context.signal)) ? uncompiled : model;
    const host = expected === null ? null : memoizeRunner(hostRunner(expected, { profile: simulatedProfile(target) }));
    const run = new MeasuredRun(await device.runner(model, pushed.model, context.signal), target, host);
    return {
      runner: run.runner,
      host,
      arenaBytes: pushed.arenaBytes,
      measure: async () => ({ ...(await run.finish(context.signal)), operators: await device.profile(context.signal) }),
      close: () => device.close(),
    };
  } catch (error) {
    await device.close();
    throw error;
  }
}

/** Without --kernels: the reference kernels of a runtime that supports the model. */
async function withKernels(
  { progress }: Context,
  model: Model,
  simulation: SimulationOptions,
): Promise<SimulationOptions> {
  const { profileThatTakes, simulates } = await import('../../simulator/index.js');
  if (simulation.profile !== undefined || !simulates(model)) return simulation;
  const { profile, refusal } = profileThatTakes(model);
  if (refusal === null || profile === null) return simulation;
  progress.note(
    `using ${profile} kernels: TensorFlow Lite Micro does not support ${refusal.place}: ${refusal.reason} ` +
      '(--kernels selects others)',
  );
  return { ...simulation, profile };
}

/** @throws USAGE */
export function requireMainSubgraph({ device, signature }: SimulatorOptions & DeviceOptions): void {
  if (device !== undefined && signature !== undefined)
    throw fail('USAGE', { reason: '--signature is for the simulator; a device runs the main subgraph' });
}

/**
 * Opens a device; its log lines are shown with the progress.
 * @param pair for an emulated accelerator, which computes with the uncompiled model
 */
export async function connect(
  { progress, signal }: Context,
  uri: string,
  pair?: { readonly compiled: Model; readonly uncompiled: Model },
): Promise<import('../../devices/client/index.js').DeviceClient> {
  const [{ openDevice }, { limitFile }, { stateFolder }] = await Promise.all([
    import('../../devices/open-device.js'),
    import('../../devices/client/index.js'),
    import('../../base/files/index.js'),
  ]);
  return openDevice(uri, {
    memory: limitFile(path.join(stateFolder(), 'devices.json')),
    onLog: (line) => progress.note(`device: ${line}`),
    accelerator: {
      signal,
      onProgress: progress.update,
    },
    ...(pair === undefined ? {} : { emulated: [pair] }),
  });
}

/** Whether it runs models compiled for the Edge TPU, and no others. */
async function takesCompiled(
  device: import('../../devices/client/index.js').DeviceClient,
  signal: AbortSignal,
): Promise<boolean> {
  return (await device.describe(signal)).features?.includes('edgetpu') === true;
}

/** Shows the progress of a push. */
export function pushReporting({
  progress,
  signal,
}: Context): Pick<import('../../devices/client/index.js').PushOptions, 'signal' | 'onProgress' | 'onPlan'> {
  return {
    signal,
    onProgress: progress.update,
    onPlan: ({ bytes, requests, expectedMs, bottleneck }) => {
      // Short steps are not shown.
      if (expectedMs < 1000) return;
      const most = bottleneck === 'line' ? 'limited by the line' : 'mostly waiting for responses';
      progress.note(
        `upload: ${bytes.toLocaleString('en')} bytes in ${requests} packets, about ` +
          `${Math.ceil(expectedMs / 1000)} s (${most}), plus flash writing`,
      );
    },
  };
}

/** Transfer options of a verb. */
export type Travel = Pick<import('../../devices/client/index.js').PushOptions, 'chunkBytes' | 'compress' | 'window'>;

/** The target of --target, or the device's own. */
export async function targetFor(
  { signal }: Context,
  device: import('../../devices/client/index.js').DeviceClient,
  { device: uri, target }: { readonly device: string; readonly target?: string },
): Promise<Target> {
  const { targetOfDevice } = await import('../../devices/open-device.js');
  return targetOfDevice(device, { uri, named: target, signal });
}

/** @throws EDGETPU_RUNTIME */
async function requireKnownRuntime(model: Model, target: Target, device: string): Promise<void> {
  const { compiledModelOf, newestRuntime, requireRuntime } = await import('../../targets/compiled/index.js');
  const compiled = compiledModelOf(model);
  if (compiled !== null) requireRuntime(compiled, target.runtime.version ?? newestRuntime, device);
}

/**
 * Accelerators run compiled models, all other devices uncompiled ones.
 * @throws EDGETPU_UNCOMPILED, EDGETPU_TWIN_MISSING, MODEL_COMPILED, EDGETPU_RUNTIME
 */
export async function requireRunnable(
  { signal, progress }: Context,
  file: string,
  device: import('../../devices/client/index.js').DeviceClient,
  target: Target,
  model: Model,
): Promise<void> {
  const { edgeTpuOperators } = await import('../../formats/tflite/index.js');
  const isCompiled = edgeTpuOperators(model).length > 0;
  const wantsCompiled = await takesCompiled(device, signal);
  const { name } = device.client;
  if (isCompiled && target.runtime.kernels === 'edgetpu') await requireKnownRuntime(model, target, name);
  if (wantsCompiled && !isCompiled) throw fail('EDGETPU_UNCOMPILED', { where: file, device: name });
  const emulated = name.startsWith('sim:') && target.runtime.kernels === 'edgetpu';
  // An emulated accelerator computes with the uncompiled model.
  if (!wantsCompiled && isCompiled && emulated)
    throw fail('EDGETPU_TWIN_MISSING', { where: file, beside: besideOf(file) });
  if (!wantsCompiled && isCompiled)
    throw fail('MODEL_COMPILED', {
      where: file,
      accelerator: 'the Edge TPU',
      reason: `${name} is not an Edge TPU that could run it`,
    });
  if (!isCompiled && target.runtime.kernels === 'edgetpu')
    progress.note(
      `${file} is not compiled: it runs on the simulator only; the accelerator needs the output of \`atoll compile\``,
    );
}

/**
 * Builds the slot image for the device's target, checks that it fits, and pushes it.
 * @throws EDGETPU_UNCOMPILED, MODEL_COMPILED before anything is sent
 */
export async function pushModel(
  context: Context,
  file: string,
  device: import('../../devices/client/index.js').DeviceClient,
  target: Target,
  bytes: Uint8Array,
  model: Model,
  uncompiled: Model | null,
  travel: Travel = {},
) {
  const [{ buildImageFor }, { push }] = await Promise.all([
    import('../../devices/bundle/index.js'),
    import('../../devices/client/index.js'),
  ]);
  await requireRunnable(context, file, device, target, model);
  const image = buildImageFor(bytes, model, target, uncompiled === null ? {} : { uncompiled });
  return push(device, image, { ...travel, ...pushReporting(context) });
}
