import { readModelFile } from './model-file.js';
import { counterNumber, refuseOverwriting } from './options.js';
import { uncompiledOf, uncompiledOption } from './uncompiled.js';
import { defineVerb } from './verb.js';

export const bundleVerb = defineVerb({
  name: 'bundle',
  summary: 'put a model, its manifest and self-test into one file for devices, optionally signed',
  define: (command) =>
    uncompiledOption(command)
      .argument('<model>', 'a .tflite file, or a bundle to create again')
      .requiredOption('--target <target>', 'id of a target, or a target file')
      .requiredOption('-o, --output <file>', 'where to write the bundle')
      .option('--sign <key>', 'PEM file of the private key, from `atoll keys create`')
      .option('--model-version <text>', 'version text for people', '0')
      .option(
        '--counter <n>',
        'version counter: devices with a key refuse a lower one than that of the model they run; up to 4294967295',
        counterNumber,
      ),
  run: async (context, [file], options) => {
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
    const output = options.output;
    const keyFile = options.sign;
    refuseOverwriting(output, [file, keyFile, options.target]);
    const target = await loadTarget(options.target);
    const { bytes, model } = await readModelFile(context, file);
    const uncompiled = await uncompiledOf(context, file, model, options);
    if (target.runtime.kernels === 'edgetpu' && edgeTpuOperators(model).length === 0)
      context.progress.note(
        `${file} is not compiled: accelerators refuse this bundle; they need the output of \`atoll compile\``,
      );
    const image = buildImageFor(bytes, model, target, {
      ...(uncompiled === null ? {} : { uncompiled }),
      version: options.modelVersion,
      ...(options.counter === undefined ? {} : { counter: options.counter }),
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
      text:
        `${output}: ${bytesText(image.byteLength)}, sent as ${bytesText(travelBytes)} (${saved} % saved); ` +
        `version ${manifest?.version}, ${by}`,
    };
  },
});
