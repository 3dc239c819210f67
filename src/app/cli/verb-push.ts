import { defined } from '../../base/checked.js';
import { deviceHelp, ownTargetHelp } from './choices.js';
import { connect, pushModel, pushReporting, requireRunnable, type Travel, targetFor } from './device-runner.js';
import { positiveInteger } from './options.js';
import { uncompiledOf, uncompiledOption } from './uncompiled.js';
import type { Outcome, Verb } from './verb.js';

export const pushVerb: Verb = {
  name: 'push',
  summary: 'push a model to a device: upload, verify, self-test, activate, confirm',
  define: (command) => {
    uncompiledOption(command)
      .argument('<model>', 'a .tflite file or a slot image')
      .requiredOption('--device <uri>', deviceHelp)
      .option('--target <file>', ownTargetHelp)
      .option('--window <n>', 'number of chunks in flight, up to the number of buffers on the device', positiveInteger)
      .option(
        '--chunk <bytes>',
        'maximum file bytes per packet (default: determined for the device and remembered)',
        positiveInteger,
      )
      .option('--no-compress', 'send the image uncompressed, even if the device supports compression')
      .option(
        '--path <file>',
        'for a device with a file system but without Atoll firmware: only store the file there and verify it',
      );
  },
  run: async (context, [file = ''], options) => {
    const [{ readBytes }, { readModel }, { decodeSlotImage }] = await Promise.all([
      import('../../base/files/index.js'),
      import('../../formats/tflite/index.js'),
      import('../../devices/bundle/index.js'),
    ]);
    const bytes = await readBytes(file);
    // A device that only stores files accepts any file.
    const slotImage = options.path === undefined ? decodeSlotImage(bytes) : null;
    const model = slotImage === null ? null : readModel(slotImage.model, file);
    const uncompiled = model === null ? null : await uncompiledOf(context, file, model, options);
    const device = await connect(
      context,
      String(options.device),
      model === null || uncompiled === null ? undefined : { compiled: model, uncompiled },
    );
    try {
      if (slotImage === null || model === null) return await stored(context, file, bytes, device, options);
      const [{ push }, { pushReport }] = await Promise.all([
        import('../../devices/client/index.js'),
        import('../report/index.js'),
      ]);
      const travel = travelOf(options);
      const target = await targetFor(context, device, options);
      if (slotImage.trailer !== null) await requireRunnable(context, file, device, target, model);
      const result =
        slotImage.trailer === null
          ? await pushModel(context, file, device, target, bytes, model, uncompiled, travel)
          : await push(device, bytes, { ...travel, ...pushReporting(context) });
      return { document: { file, uri: String(options.device), ...result }, text: pushReport(file, result) };
    } finally {
      await device.close();
    }
  },
};

function travelOf({ chunk, compress, window }: Readonly<Record<string, unknown>>): Travel {
  return {
    compress: compress !== false,
    ...(window === undefined ? {} : { window: defined(window) as number }),
    ...(chunk === undefined ? {} : { chunkBytes: defined(chunk) as number }),
  };
}

/** Pushes to a device that only stores files. */
async function stored(
  context: Parameters<Verb['run']>[0],
  file: string,
  bytes: Uint8Array,
  device: import('../../devices/client/index.js').DeviceClient,
  options: Readonly<Record<string, unknown>>,
): Promise<Outcome> {
  const [{ uploadImage }, { storedReport }] = await Promise.all([
    import('../../devices/client/index.js'),
    import('../report/index.js'),
  ]);
  const path = String(options.path);
  const { compress: _, ...travel } = travelOf(options);
  const image = await uploadImage(device.client, bytes, {
    path,
    ...travel,
    signal: context.signal,
    onProgress: context.progress.update,
  });
  return {
    document: { file, uri: String(options.device), path, state: 'stored', runnable: false, image },
    text: storedReport(file, path, device.client.name, image),
  };
}
