import type { Command } from '@commander-js/extra-typings';
import { deviceHelp, ownTargetHelp } from './choices.js';
import { connect, pushModel, pushReporting, requireRunnable, type Travel, targetFor } from './device-runner.js';
import { positiveInteger } from './options.js';
import { uncompiledOf, uncompiledOption } from './uncompiled.js';
import { type Context, defineVerb, type OptionsOf, type Outcome } from './verb.js';

function define(command: Command) {
  return uncompiledOption(command)
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
}

type Options = OptionsOf<typeof define>;

export const pushVerb = defineVerb({
  name: 'push',
  summary: 'push a model to a device: upload, verify, self-test, activate, confirm',
  define,
  run: async (context, [file], options) => {
    const [{ readBytes }, { readModel }, { decodeSlotImage }] = await Promise.all([
      import('../../base/files/index.js'),
      import('../../formats/tflite/index.js'),
      import('../../devices/bundle/index.js'),
    ]);
    const bytes = await readBytes(file);
    // A device that only stores files accepts any file.
    if (options.path !== undefined) return stored(context, file, bytes, { ...options, path: options.path });
    const { model: modelBytes, trailer } = decodeSlotImage(bytes);
    const model = readModel(modelBytes, file);
    const uncompiled = await uncompiledOf(context, file, model, options);
    const device = await connect(
      context,
      options.device,
      uncompiled === null ? undefined : { compiled: model, uncompiled },
    );
    try {
      const [{ push }, { pushReport }] = await Promise.all([
        import('../../devices/client/index.js'),
        import('../report/index.js'),
      ]);
      const travel = travelOf(options);
      const target = await targetFor(context, device, options);
      if (trailer !== null) await requireRunnable(context, file, device, target, model);
      const result =
        trailer === null
          ? await pushModel(context, file, device, target, bytes, model, uncompiled, travel)
          : await push(device, bytes, { ...travel, ...pushReporting(context) });
      return { document: { file, uri: options.device, ...result }, text: pushReport(file, result) };
    } finally {
      await device.close();
    }
  },
});

function travelOf({ chunk, compress, window }: Options): Travel {
  return {
    compress,
    ...(window === undefined ? {} : { window }),
    ...(chunk === undefined ? {} : { chunkBytes: chunk }),
  };
}

/** Pushes to a device that only stores files. */
async function stored(
  context: Context,
  file: string,
  bytes: Uint8Array,
  options: Options & { readonly path: string },
): Promise<Outcome<'push'>> {
  const [{ uploadImage }, { storedReport }] = await Promise.all([
    import('../../devices/client/index.js'),
    import('../report/index.js'),
  ]);
  const { device: uri, path } = options;
  const { compress: _, ...travel } = travelOf(options);
  const device = await connect(context, uri);
  try {
    const image = await uploadImage(device.client, bytes, {
      path,
      ...travel,
      signal: context.signal,
      onProgress: context.progress.update,
    });
    return {
      document: { file, uri, path, state: 'stored', runnable: false, image },
      text: storedReport(file, path, device.client.name, image),
    };
  } finally {
    await device.close();
  }
}
