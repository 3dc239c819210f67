import { InvalidArgumentError } from 'commander';
import { readModelFile, shapeOption } from './model-file.js';
import { fraction, positiveInteger, refuseOverwriting } from './options.js';
import type { Verb } from './verb.js';

function blockSize(text: string): { channels: number; places: number } {
  const [, channels, places] = /^([1-9]\d?)x([1-9]\d?)$/.exec(text) ?? [];
  if (channels === undefined || places === undefined) throw new InvalidArgumentError('Write it as 1x4: channels x places, each from 1 to 99.');
  return { channels: Number(channels), places: Number(places) };
}

export const optimizeVerb: Verb = {
  name: 'optimize',
  summary: 'prune and cluster the weights of a float model, so that it compresses better; quantizing keeps zeros and clusters',
  define: (command) => {
    shapeOption(command)
      .argument('<model>', 'a float .tflite file')
      .requiredOption('-o, --output <file>', 'where to write the float model')
      .option('--prune <sparsity>', 'share of the weights that become 0, such as 50% or 0.5', fraction)
      .option('--block <size>', 'prune whole blocks, such as 1x4', blockSize)
      .option('--per-layer', 'prune the same share of every layer, instead of the smallest weights of all')
      .option('--cluster <n>', 'values that the weights of each layer share', positiveInteger)
      .option('--keep-zeros', 'weights of 0 stay so when clustering')
      .option('--calibrate <dataset>', 'dataset file: layers that suffer least are pruned most, and the loss is measured');
  },
  run: async (context, [file = ''], options) => {
    const [{ optimizeWeights }, { openDatasets }, { writeAtomically }, { optimizeReport }] = await Promise.all([
      import('../optimize-weights.js'),
      import('../dataset/index.js'),
      import('../files/index.js'),
      import('../report/index.js'),
    ]);
    const output = String(options.output);
    refuseOverwriting(output, [file, options.calibrate]);
    const { model } = await readModelFile(file, options);
    const datasets = options.calibrate === undefined ? [] : await openDatasets(String(options.calibrate));
    const result = await optimizeWeights(model, datasets, {
      signal: context.signal,
      onProgress: (progress) => context.progress.update('sensitivity', progress),
      perLayer: options.perLayer === true,
      keepZeros: options.keepZeros === true,
      ...(options.prune === undefined ? {} : { sparsity: options.prune as number }),
      ...(options.block === undefined ? {} : { block: options.block as { channels: number; places: number } }),
      ...(options.cluster === undefined ? {} : { clusters: options.cluster as number }),
    });
    await writeAtomically(output, result.bytes);
    const { bytes: _, ...figures } = result;
    return { document: { file, output, ...figures }, text: `${file} -> ${output}\n${optimizeReport(result)}` };
  },
};
