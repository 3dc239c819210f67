import { readModelFile, shapeOption } from './model-file.js';
import type { Verb } from './verb.js';

export const checkVerb: Verb = {
  name: 'check',
  summary: 'say whether a model fits a target: operators, flash, arena, latency',
  define: (command) => {
    shapeOption(command)
      .argument('<model>', 'a .tflite file')
      .requiredOption('--target <target>', 'id of a target, or a target file')
      .option('--multiple-subgraphs', 'let an Edge TPU run every part of the graph that it could, instead of one');
  },
  run: async (_context, [file = ''], options) => {
    const [{ loadTarget }, { checkFile }, { checkReport }] = await Promise.all([
      import('../targets/index.js'),
      import('../bundle/index.js'),
      import('../report/index.js'),
    ]);
    const target = await loadTarget(String(options.target));
    const { bytes, model } = await readModelFile(file, options);
    const result = checkFile(bytes, model, target, { multipleSubgraphs: options.multipleSubgraphs === true });
    return { document: { file, ...result }, text: checkReport(file, target, result), exitCode: result.fits ? 0 : 1 };
  },
};
