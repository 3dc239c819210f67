import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { defined } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { Model } from '../../formats/tflite/index.js';
import { readModelFile, shapeOption } from './model-file.js';
import { fraction, positiveInteger, refuseOverwriting } from './options.js';
import { planKernels } from './plan-kernels.js';
import { defineVerb, type OptionsOf, type Outcome } from './verb.js';

function blockSize(text: string): { channels: number; places: number } {
  const [, channels, places] = /^([1-9]\d?)x([1-9]\d?)$/.exec(text) ?? [];
  if (channels === undefined || places === undefined)
    throw new InvalidArgumentError('Write it as 1x4: channels x weights, each from 1 to 99.');
  return { channels: Number(channels), places: Number(places) };
}

function define(command: Command) {
  return shapeOption(command)
    .argument('<model>', 'a float model: a .tflite file, or one that convert takes (any model for --plan-memory)')
    .requiredOption('-o, --output <file>', 'where to write the float model')
    .option('--prune <sparsity>', 'share of the weights that become 0, for example 50% or 0.5', fraction)
    .option('--block <size>', 'prune whole blocks, for example 1x4', blockSize)
    .option('--per-layer', 'prune the same share of every layer, instead of the smallest weights over all layers')
    .option('--cluster <n>', 'number of distinct weight values per layer', positiveInteger)
    .option('--keep-zeros', 'keep weights of 0 when clustering')
    .option(
      '--plan-memory',
      'instead: reorder operators and place tensors of any model, also int8, for the smallest arena',
    )
    .option('--target <target>', 'with --plan-memory: the target whose kernels need scratch buffers')
    .option('--calibrate <dataset>', 'dataset file: prune the least sensitive layers most, and measure the loss');
}

type Options = OptionsOf<typeof define>;

export const optimizeVerb = defineVerb({
  name: 'optimize',
  summary: 'prune and cluster the weights of a float model so that it compresses better, or plan the memory of a model',
  define,
  run: async (context, [file], options) => {
    const [{ optimizeWeights }, { openDatasets }, { writeAtomically }, { optimizeReport }] = await Promise.all([
      import('../../optimize/optimize-weights.js'),
      import('../../data/index.js'),
      import('../../base/files/index.js'),
      import('../report/index.js'),
    ]);
    const output = options.output;
    refuseOverwriting(output, [file, options.calibrate, options.target]);
    const { model } = await readModelFile(context, file, options);
    if (options.target !== undefined && options.planMemory !== true)
      throw fail('USAGE', { reason: '--target is for --plan-memory' });
    if (options.planMemory === true) return planned(file, output, model, options);
    const datasets = options.calibrate === undefined ? [] : await openDatasets(options.calibrate);
    const result = await optimizeWeights(model, datasets, {
      signal: context.signal,
      onProgress: context.progress.update,
      perLayer: options.perLayer === true,
      keepZeros: options.keepZeros === true,
      ...(options.prune === undefined ? {} : { sparsity: options.prune }),
      ...(options.block === undefined ? {} : { block: defined(options.block) as { channels: number; places: number } }),
      ...(options.cluster === undefined ? {} : { clusters: options.cluster }),
    });
    await writeAtomically(output, result.bytes);
    const { bytes: _, ...figures } = result;
    return { document: { file, output, ...figures }, text: `${file} -> ${output}\n${optimizeReport(result)}` };
  },
});

/** @throws USAGE together with options that change weights */
async function planned(file: string, output: string, model: Model, options: Options): Promise<Outcome<'optimize'>> {
  const { prune, cluster, block, perLayer, keepZeros, calibrate } = options;
  if ([prune, cluster, block, perLayer, keepZeros, calibrate].some((value) => value !== undefined))
    throw fail('USAGE', {
      reason: '--plan-memory is for finished models and only combines with --target: prune and cluster first',
    });
  const [{ planMemory }, { loadTarget }, { writeModel }, { writeAtomically }, { memoryPlanText }] = await Promise.all([
    import('../../optimize/passes/index.js'),
    import('../../targets/index.js'),
    import('../../formats/tflite/index.js'),
    import('../../base/files/index.js'),
    import('../report/index.js'),
  ]);
  const target = options.target === undefined ? null : await loadTarget(options.target);
  const plan = planMemory(model, await planKernels(target));
  await writeAtomically(output, writeModel(plan.model));
  const { model: _, ...figures } = plan;
  return { document: { file, output, memoryPlan: figures }, text: `${file} -> ${output}\n${memoryPlanText(plan)}` };
}
