import { defined } from '../../base/checked.js';
import { readModelFile } from './model-file.js';
import { counterNumber, refuseOverwriting } from './options.js';
import { uncompiledOf, uncompiledOption } from './uncompiled.js';
import type { Verb } from './verb.js';

export const bundleVerb: Verb = {
  name: 'bundle',
  summary: 'put a model, its manifest and self-test into one file that devices take, signed if you like',
  define: (command) => {
    uncompiledOption(command)
      .argument('<model>', 'a .tflite file, or a bundle to be made anew')
      .requiredOption('--target <target>', 'id of a target, or a target file')
      .requiredOption('-o, --output <file>', 'where to write the bundle')
      .option('--sign <key>', 'PEM file of the private key, which `atoll keys create` makes')
      .option('--model-version <text>', 'what people call this version', '0')
      .option(
        '--counter <n>',
        'devices with a key refuse a bundle whose counter is below that of the one they run; up to 4294967295',
        counterNumber,
      );
  },
  run: async (context, [file = ''], options) => {
    const [
      { loadTarget },
      { buildImageFor, compressedBytes, decodeSlotImage, manifestView, readPrivateKey },
      { readText, writeAtomically },
      { bytesText },
      { edgeTpuOperators },
    ] = await Promise.all([
      import('../../targets/index.js'),
      import('../../devices/bundle/index.js'),
      import('../../base/files/index.js'),
      import('../report/index.js'),
      import('../../formats/tflite/index.js'),
    ]);
    const output = String(options.output);
    const keyFile = options.sign as string | undefined;
    refuseOverwriting(output, [file, keyFile, options.target]);
    const target = await loadTarget(String(options.target));
    const { bytes, model } = await readModelFile(file, options);
    const uncompiled = await uncompiledOf(context, file, model, options);
    if (target.runtime.kernels === 'edgetpu' && edgeTpuOperators(model).length === 0)
      context.progress.note(
        `${file} is not compiled: accelerators take what \`atoll compile\` makes of it, and refuse this bundle`,
      );
    const image = buildImageFor(bytes, model, target, {
      ...(uncompiled === null ? {} : { uncompiled }),
      version: String(options.modelVersion),
      ...(options.counter === undefined ? {} : { counter: defined(options.counter) as number }),
      ...(keyFile === undefined ? {} : { key: readPrivateKey(await readText(keyFile), keyFile) }),
    });
    await writeAtomically(output, image);
    const { trailer } = decodeSlotImage(image);
    const manifest = trailer === null ? null : manifestView(trailer);
    const travelBytes = compressedBytes(image);
    const saved = Math.round(100 * (1 - travelBytes / image.byteLength));
    const by = manifest?.signedBy == null ? 'not signed' : `signed by ${manifest.signedBy}`;
    return {
      document: {
        file,
        output,
        target: target.id,
        bundleBytes: image.byteLength,
        compressedBytes: travelBytes,
        manifest,
      },
      text: `${output}: ${bytesText(image.byteLength)}, travels as ${bytesText(travelBytes)} (${saved} % saved); version ${manifest?.version}, ${by}`,
    };
  },
};
