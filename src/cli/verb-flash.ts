import { readModelFile } from './model-file.js';
import { address } from './options.js';
import type { Verb } from './verb.js';

export const flashVerb: Verb = {
  name: 'flash',
  summary: "put a model where a board's own bootloader can: a UF2 file on its drive",
  define: (command) => {
    command
      .argument('<model>', 'a .tflite file')
      .requiredOption('--target <target>', 'kind of board')
      .option('--drive <folder>', "where the bootloader's drive is mounted; found by its INFO_UF2.TXT unless given")
      .option('--address <address>', 'flash address of the first byte; the first slot of the target unless given', address)
      .option('--dry-run', 'say what would be written, and write nothing');
  },
  run: async (context, [file = ''], options) => {
    const [{ loadTarget }, { buildFittingImage }, { hexAddress, uf2Image, uf2Place }, { copyToDrive, findUf2Drives, onlyDrive }] = await Promise.all([
      import('../targets/index.js'),
      import('../bundle/index.js'),
      import('../export/index.js'),
      import('../uf2-drive.js'),
    ]);
    const target = await loadTarget(String(options.target));
    const { bytes, model } = await readModelFile(file, options);
    const { image } = buildFittingImage(bytes, model, target);
    const place = uf2Place(target, image.length, (options.address as number | undefined) ?? null);
    const drive = onlyDrive(await findUf2Drives(options.drive === undefined ? undefined : [String(options.drive)]));
    const uf2 = uf2Image(image, place.address, place.familyId);
    const written = options.dryRun !== true;
    if (written) await copyToDrive(uf2, drive, { signal: context.signal, onProgress: (progress) => context.progress.update('copy', progress) });
    const what = `${image.length} bytes at ${hexAddress(place.address)} through ${drive.folder} (${drive.boardId ?? 'unknown board'})`;
    return {
      document: { file, target: target.id, drive, address: place.address, imageBytes: image.length, uf2Bytes: uf2.length, written },
      text: written ? `${file}: wrote ${what}` : `${file}: would write ${what}`,
    };
  },
};
