import type { CheckResult, Target } from '../targets/index.js';
import { readModelFile, shapeOption } from './model-file.js';
import type { Verb } from './verb.js';

export const checkVerb: Verb = {
  name: 'check',
  summary: 'say whether a model fits a target: operators, flash, arena, latency',
  define: (command) => {
    shapeOption(command)
      .argument('<model>', 'a .tflite file')
      .requiredOption('--target <target>', 'id of a target, or a target file; all for every shipped one')
      .option('--multiple-subgraphs', 'let an Edge TPU run every part of the graph that it could, instead of one');
  },
  run: async (_context, [file = ''], options) => {
    const [{ factsOf, loadShippedTargets, loadTarget }, { checkFile }, { checkAllReport, checkReport }] = await Promise.all([
      import('../targets/index.js'),
      import('../bundle/index.js'),
      import('../report/index.js'),
    ]);
    const all = options.target === 'all';
    const targets = all ? await loadShippedTargets() : [await loadTarget(String(options.target))];
    const { bytes, model } = await readModelFile(file, options);
    const facts = factsOf(model);
    const results = targets.map((target) => checkFile(bytes, model, target, { facts, multipleSubgraphs: options.multipleSubgraphs === true }));
    // That some do not take it is no failure: it is what was asked.
    if (all) return { document: { file, targets: results }, text: checkAllReport(file, results) };
    const [target, result] = [targets[0] as Target, results[0] as CheckResult];
    return { document: { file, ...result }, text: checkReport(file, target, result), exitCode: result.fits ? 0 : 1 };
  },
};
