import { deviceHelp, ownTargetHelp } from './choices.js';
import { connect, pushModel, pushReporting, type Travel, targetFor } from './device-runner.js';
import { positiveInteger } from './options.js';
import type { Outcome, Verb } from './verb.js';

export const pushVerb: Verb = {
  name: 'push',
  summary: 'put a model on a device: upload, hash, self-test, activate, confirm',
  define: (command) => {
    command
      .argument('<model>', 'a .tflite file or a slot image')
      .requiredOption('--device <uri>', deviceHelp)
      .option('--target <file>', ownTargetHelp)
      .option('--window <n>', 'so many chunks on their way at once, up to as many as the device has buffers for', positiveInteger)
      .option('--no-compress', 'send the image as it is, also to a device that takes it compressed')
      .option('--path <file>', 'for a device with a file system and none of our firmware: only store the file there, as it is, and hash it');
  },
  run: async (context, [file = ''], options) => {
    const [{ readBytes }, device] = await Promise.all([import('../files/index.js'), connect(context, String(options.device))]);
    try {
      const bytes = await readBytes(file);
      if (options.path !== undefined) return await stored(context, file, bytes, device, options);
      const [{ readModel }, { decodeSlotImage }, { push }, { pushReport }] = await Promise.all([
        import('../tflite/index.js'),
        import('../bundle/index.js'),
        import('../device/index.js'),
        import('../report/index.js'),
      ]);
      const slotImage = decodeSlotImage(bytes);
      const model = readModel(slotImage.model, file);
      const travel = travelOf(options);
      const result =
        slotImage.trailer === null
          ? await pushModel(context, String(options.device), device, await targetFor(context, device, options), bytes, model, travel)
          : await push(device, bytes, { ...travel, ...pushReporting(context) });
      return { document: { file, uri: String(options.device), ...result }, text: pushReport(file, result) };
    } finally {
      await device.close();
    }
  },
};

function travelOf({ compress, window }: Readonly<Record<string, unknown>>): Travel {
  return { compress: compress !== false, ...(window === undefined ? {} : { window: window as number }) };
}

/** To a device that only has files. */
async function stored(
  context: Parameters<Verb['run']>[0],
  file: string,
  bytes: Uint8Array,
  device: import('../device/index.js').DeviceClient,
  options: Readonly<Record<string, unknown>>,
): Promise<Outcome> {
  const [{ uploadImage }, { storedReport }] = await Promise.all([import('../device/index.js'), import('../report/index.js')]);
  const path = String(options.path);
  const { window } = travelOf(options);
  const image = await uploadImage(device.client, bytes, {
    path,
    ...(window === undefined ? {} : { window }),
    signal: context.signal,
    onProgress: (progress) => context.progress.update('upload', progress),
  });
  return {
    document: { file, uri: String(options.device), path, state: 'stored', runnable: false, image },
    text: storedReport(file, path, device.client.name, image),
  };
}
