import { Option } from '@commander-js/extra-typings';
import { readModelFile } from './model-file.js';
import { address, positiveInteger } from './options.js';
import { defineVerb } from './verb.js';

const methods = ['uf2', 'dfu', 'esptool', 'probe-rs', 'openocd', 'bossac'] as const;

export const flashVerb = defineVerb({
  name: 'flash',
  summary: "write a model to flash through a board's bootloader or debug probe, without its firmware",
  define: (command) =>
    command
      .argument('<model>', 'a .tflite file')
      .requiredOption('--target <target>', 'kind of board')
      .addOption(
        new Option('--method <method>', 'method (default: the first available method of the target)').choices(methods),
      )
      .option('--drive <folder>', "uf2: mount point of the bootloader's drive (default: found by INFO_UF2.TXT)")
      .option('--port <port>', 'esptool, bossac: serial port (default: found by the USB ids of the target)')
      .option('--baud <rate>', 'esptool: bits per second', positiveInteger)
      .option(
        '--serial <number>',
        'dfu, probe-rs, openocd: serial number of the device or probe, if several are attached',
      )
      .option('--address <address>', 'flash address of the first byte (default: the first slot of the target)', address)
      .option('--dry-run', 'print what would be written and by which command, without writing'),
  run: async (context, [file], options) => {
    const [{ loadTarget }, { buildFittingImage }, { findFlashWay, hexAddress, placeInFlash }, { commandLine }] =
      await Promise.all([
        import('../../targets/index.js'),
        import('../../devices/bundle/index.js'),
        import('../../devices/flashing/index.js'),
        import('../../base/programs/index.js'),
      ]);
    const target = await loadTarget(options.target);
    const { bytes, model } = await readModelFile(context, file);
    const { image } = buildFittingImage(bytes, model, target);
    const place = placeInFlash(target, image.length, options.address ?? null);
    const way = await findFlashWay({ target, image, place, choice: options });
    const result =
      options.dryRun === true ? null : await way.write({ signal: context.signal, onProgress: context.progress.update });
    const { method, through, commands } = way;
    const verifiedBy = result?.verifiedBy ?? null;
    const facts = {
      address: place.address,
      imageBytes: image.length,
      partition: place.partition,
      written: result !== null,
      verifiedBy,
    };
    const what = `${image.length} bytes at ${hexAddress(place.address)} by ${method}, through ${through}`;
    const calls = commands.map((command) => `\n  ${commandLine(command)}`).join('');
    const exportHint =
      calls === ''
        ? ''
        : `\nto create model.bin: \`atoll export ${file} --format bin --target ${target.id} -o model.bin\``;
    return {
      document: { file, target: target.id, method, through, commands, ...facts },
      text:
        result === null
          ? `${file}: would write ${what}${calls}${exportHint}`
          : `${file}: wrote ${what}${verifiedBy === null ? '' : `; verified by ${verifiers[verifiedBy]}`}`,
    };
  },
});

const verifiers = { 'read-back': 'reading it back', bootloader: 'the bootloader', program: 'the program' } as const;
