import path from 'node:path';
import { Option } from '@commander-js/extra-typings';
import { alignUp } from '../../base/alignment.js';
import { fail } from '../../base/errors.js';
import type { Model } from '../../formats/tflite/index.js';
import type { Target } from '../../targets/index.js';
import type { ExportFacts } from '../documents/index.js';
import { readModelFile } from './model-file.js';
import { address, refuseOverwriting } from './options.js';
import { defineVerb } from './verb.js';

const exportFormats = ['resolver', 'c-array', 'uf2', 'bin'] as const;
type Format = (typeof exportFormats)[number];

/** The files of one run, and its summary. */
interface Exported {
  readonly files: readonly { readonly path: string; readonly content: Uint8Array | string }[];
  readonly facts: ExportFacts;
  readonly text: string;
}

interface Request {
  readonly file: string;
  readonly output: string;
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly target: Target | null;
  readonly address: number | null;
}

export const exportVerb = defineVerb({
  name: 'export',
  summary: 'write files for firmware: operator registration, C array, UF2 or flash image',
  define: (command) =>
    command
      .argument('<model>', 'a .tflite file')
      .addOption(new Option('--format <format>', 'what to write').choices(exportFormats).makeOptionMandatory())
      .requiredOption('-o, --output <file>', 'output file; the header of a C array is written beside it')
      .option(
        '--target <target>',
        'uf2, bin: write the slot image for this target, with manifest and self-test; resolver: add the arena size',
      )
      .option(
        '--address <address>',
        'uf2: flash address of the first byte, for example 0x10040000 (default: the first slot of the target)',
        address,
      ),
  run: async (context, [file], options) => {
    const [{ loadTarget }, { writeTogether }] = await Promise.all([
      import('../../targets/index.js'),
      import('../../base/files/index.js'),
    ]);
    const output = options.output;
    const format = options.format as Format;
    const target = options.target === undefined ? null : await loadTarget(options.target);
    const { bytes, model } = await readModelFile(context, file);
    const { files, facts, text } = await writers[format]({
      file,
      output,
      bytes,
      model,
      target,
      address: options.address ?? null,
    });
    for (const one of files) refuseOverwriting(one.path, [file, options.target]);
    await writeTogether(files);
    return { document: { file, output: files.map((one) => one.path), ...facts }, text };
  },
});

const writers: Readonly<Record<Format, (request: Request) => Promise<Exported>>> = {
  resolver: async ({ file, output, model, target }) => {
    const [
      { resolverCode, identifierOf },
      { loadOperatorSet, registeredOperators, runtimeKernelsOf },
      { arenaOf, simulates },
    ] = await Promise.all([
      import('../../targets/export/index.js'),
      import('../../targets/index.js'),
      import('../../simulator/index.js'),
    ]);
    const operators = registeredOperators(model, await loadOperatorSet('tflite-micro'));
    const kernels = target === null ? null : runtimeKernelsOf(target);
    const arenaBytes = kernels === null || !simulates(model) ? null : arenaOf(model, kernels).minimumArenaBytes;
    const code = resolverCode(
      operators,
      identifierOf(file),
      path.basename(file).replaceAll(/[^ -~]/g, '?'),
      arenaBytes,
    );
    const list = operators.map(({ op, count }) => `${op} (${count})`).join(', ');
    return {
      files: [{ path: output, content: code }],
      facts: { format: 'resolver', operators, arenaBytes },
      text: `${output}: ${operators.length} operators registered: ${list}`,
    };
  },

  'c-array': async ({ file, output, bytes }) => {
    const { cArray, identifierOf } = await import('../../targets/export/index.js');
    const header = `${output.replace(/\.[^./\\]*$/, '')}.h`;
    if (header === output)
      throw fail('USAGE', { reason: `${output} is the name of the header: use .cc for the source` });
    const array = cArray(bytes, identifierOf(file), path.basename(header));
    return {
      files: [
        // Included files first: if they cannot be written, nothing is.
        { path: header, content: array.header },
        { path: output, content: array.source },
      ],
      facts: { format: 'c-array', name: array.symbol, bytes: bytes.length },
      text: `${output} and ${header}: ${array.symbol}, ${bytes.length} bytes`,
    };
  },

  uf2: async (request) => {
    const [{ uf2Image }, { hexAddress, placeInFlash }] = await Promise.all([
      import('../../targets/export/index.js'),
      import('../../devices/flashing/index.js'),
    ]);
    const { target, output } = request;
    const how = target?.flashing.find(({ method }) => method === 'uf2');
    if (target === null || how?.method !== 'uf2')
      throw fail('USAGE', { reason: '--format uf2 needs a --target whose bootloader takes UF2 files' });
    const { familyId } = how;
    const image = await flashImage(request);
    const { address: at } = placeInFlash(target, image.length, request.address);
    return {
      files: [{ path: output, content: uf2Image(image, at, familyId) }],
      facts: { format: 'uf2', address: at, bytes: image.length, familyId },
      text: `${output}: ${image.length} bytes at ${hexAddress(at)}, for bootloaders of family ${hexAddress(familyId)}`,
    };
  },

  bin: async (request) => {
    const image = await flashImage(request);
    return {
      files: [{ path: request.output, content: image }],
      facts: { format: 'bin', bytes: image.length },
      text: `${request.output}: ${image.length} bytes`,
    };
  },
};

/**
 * The content of a slot: with a target its slot image, otherwise the model padded to 16 bytes.
 * @throws MODEL_DOES_NOT_FIT
 */
async function flashImage({ bytes, model, target }: Request): Promise<Uint8Array> {
  const { buildFittingImage, imageAlignment } = await import('../../devices/bundle/index.js');
  if (target !== null) return buildFittingImage(bytes, model, target).image;
  const image = new Uint8Array(alignUp(bytes.length, imageAlignment));
  image.set(bytes);
  return image;
}
