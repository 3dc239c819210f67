import { pushModel } from './device-runner.js';
import type { Verb } from './verb.js';

export const pushVerb: Verb = {
  name: 'push',
  summary: 'put a model on a device: upload, hash, self-test, activate, confirm',
  define: (command) => {
    command.argument('<model>', 'a .tflite file or a slot image').requiredOption('--device <uri>', 'sim:TARGET');
  },
  run: async (context, [file = ''], options) => {
    const [{ readModel }, { readBytes }, { decodeSlotImage }, { push }, { openDevice }, { bytesText, table }] = await Promise.all([
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
    try {
      const result =
        slotImage.trailer === null
          ? await pushModel(context, String(options.device), device, bytes, model)
          : await push(device, bytes, { signal: context.signal, onProgress: (step, progress) => context.progress.update(step, progress) });
      const { image, selfTest } = result;
      const resumed = image.resumedAt > 0 ? `, ${bytesText(image.resumedAt)} of them there already` : '';
      const rows = [
        ['uploaded', `${bytesText(image.bytes)}${resumed}; SHA-256 ${image.sha256.slice(0, 16)}... confirmed by the device`],
        ['self-test', `${selfTest.vectors - selfTest.failed} of ${selfTest.vectors} vectors, largest difference ${selfTest.maxLsb}`],
        ['arena', bytesText(result.arenaBytes)],
        ['state', result.changed ? result.state : `${result.state} (it ran this image already)`],
      ];
      return { document: { file, uri: String(options.device), ...result }, text: `${file} on ${result.device} (${result.target})\n${table(rows)}` };
    } finally {
      await device.close();
    }
  },
};
