import { pushModel } from './device-runner.js';
import type { Verb } from './verb.js';

export const pushVerb: Verb = {
  name: 'push',
  summary: 'put a model on a device: upload, hash, self-test, activate, confirm',
  define: (command) => {
    command
      .argument('<model>', 'a .tflite file or a slot image')
      .requiredOption('--device <uri>', 'sim:TARGET')
      .option('--no-compress', 'send the image as it is, also to a device that takes it compressed');
  },
  run: async (context, [file = ''], options) => {
    const [{ readModel }, { readBytes }, { decodeSlotImage }, { push }, { openDevice }, { pushReport }] = await Promise.all([
      import('../tflite/index.js'),
      import('../files/index.js'),
      import('../bundle/index.js'),
      import('../device/index.js'),
      import('../open-device.js'),
      import('../report/index.js'),
    ]);
    const bytes = await readBytes(file);
    const slotImage = decodeSlotImage(bytes);
    const model = readModel(slotImage.model, file);
    const device = await openDevice(String(options.device));
    const compress = options.compress !== false;
    try {
      const result =
        slotImage.trailer === null
          ? await pushModel(context, String(options.device), device, bytes, model, compress)
          : await push(device, bytes, { compress, signal: context.signal, onProgress: (step, progress) => context.progress.update(step, progress) });
      return { document: { file, uri: String(options.device), ...result }, text: pushReport(file, result) };
    } finally {
      await device.close();
    }
  },
};
