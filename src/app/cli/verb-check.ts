import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { MemoryMap, Target } from '../../targets/index.js';
import { withHints } from '../advice/check-advice.js';
import { suggestionText } from '../advice/suggestion-text.js';
import { readModelFile, shapeOption } from './model-file.js';
import { refuseOverwriting } from './options.js';
import { defineVerb } from './verb.js';

export const checkVerb = defineVerb({
  name: 'check',
  writesJunit: true,
  summary: 'check whether a model fits a target: operators, flash, arena, latency',
  define: (command) =>
    shapeOption(command)
      .argument('<model>', 'a .tflite file, or a model that convert takes')
      .requiredOption('--target <target>', 'id of a target, or a target file; `all` for every shipped target')
      .option('--multiple-subgraphs', 'let an Edge TPU run every possible part of the graph, instead of one')
      .option('--memory', 'show the content of the arena while each operator runs')
      .option('--plot <file>', 'write a plot of the arena over time: .svg or .html'),
  run: async (context, [file], options) => {
    const [
      { factsOf, loadShippedTargets, loadTarget, memoryMap, runtimeKernelsOf },
      { checkFile },
      { checkAllReport, checkCases, checkReport, memoryReport },
    ] = await Promise.all([
      import('../../targets/index.js'),
      import('../../devices/bundle/index.js'),
      import('../report/index.js'),
    ]);
    const all = options.target === 'all';
    const plot = options.plot ?? null;
    if (plot !== null) {
      refuseOverwriting(plot, [file, options.target]);
      if (!/\.(svg|html)$/.test(plot))
        throw fail('USAGE', { reason: `--plot ${plot}: its name must end in .svg or .html` });
      if (all) throw fail('USAGE', { reason: '--plot draws the arena for a single target' });
    }
    const targets = all ? await loadShippedTargets() : [await loadTarget(options.target)];
    const { bytes, model } = await readModelFile(context, file, options);
    const facts = factsOf(model);
    const results = targets.map((target) =>
      checkFile(bytes, model, target, { facts, multipleSubgraphs: options.multipleSubgraphs === true }),
    );
    // Targets that the model does not fit are no failure here: the list was asked for.
    if (all)
      return {
        document: { file, targets: results.map(withHints) },
        text: checkAllReport(file, results),
        cases: checkCases(results),
      };
    const [target, result] = [elementAt(targets, 0), elementAt(results, 0)];
    const kernels = runtimeKernelsOf(target);
    const map = kernels === null || !facts.simulated ? null : memoryMap(model, facts.arenaFor(kernels));
    if (plot !== null) await writePlot(plot, file, target, map);
    const suggestions = await (await import('../../optimize/suggestions.js')).suggestionsFor(
      bytes,
      model,
      target,
      result,
    );
    const shown = options.memory === true && map !== null ? `\n\n${memoryReport(map)}` : '';
    return {
      document: {
        file,
        ...withHints(result),
        suggestions: suggestions.map((one) => ({ ...one, what: suggestionText(one) })),
        ...(options.memory === true ? { arena: map } : {}),
      },
      text: `${checkReport(file, target, result, suggestions)}${shown}`,
      cases: checkCases([result]),
      exitCode: result.fits ? 0 : 1,
    };
  },
});

/** @throws USAGE if there is nothing to draw */
async function writePlot(plot: string, file: string, target: Target, map: MemoryMap | null): Promise<void> {
  if (map === null)
    throw fail('USAGE', { reason: `the arena of this model on ${target.id} is unknown, so there is nothing to plot` });
  const [{ memoryPage, memoryPlot }, { writeAtomically }] = await Promise.all([
    import('../report/index.js'),
    import('../../base/files/index.js'),
  ]);
  await writeAtomically(plot, plot.endsWith('.svg') ? `${memoryPlot(map)}\n` : memoryPage(file, target.id, map));
}
