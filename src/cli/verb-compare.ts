import { positiveInteger, refuseOverwriting } from './options.js';
import type { Verb } from './verb.js';

export const compareVerb: Verb = {
  name: 'compare',
  summary: 'float against quantized, tensor by tensor: what is lost where, and what to do about it',
  define: (command) => {
    command
      .argument('<float>', 'the float .tflite file')
      .argument('<quantized>', 'the file that was made from it')
      .requiredOption('--data <dataset>', 'dataset file; labels are not needed')
      .option('--limit <n>', "use at most so many samples, drawn by the dataset's seed", positiveInteger)
      .option('--html <file>', 'also write a page with plots');
  },
  run: async (context, [first = '', second = ''], options) => {
    const [{ compare }, { openDataset }, { readBytes, writeAtomically }, { readModel }, { compareReport, comparePage }] = await Promise.all([
      import('../evaluate/index.js'),
      import('../dataset/index.js'),
      import('../files/index.js'),
      import('../tflite/index.js'),
      import('../report/index.js'),
    ]);
    const page = options.html === undefined ? null : String(options.html);
    if (page !== null) refuseOverwriting(page, [first, second, options.data]);
    const [float, quantized] = [readModel(await readBytes(first), first), readModel(await readBytes(second), second)];
    const result = await compare(float, quantized, await openDataset(String(options.data)), {
      signal: context.signal,
      onProgress: (progress) => context.progress.update('compare', progress),
      ...(options.limit === undefined ? {} : { limit: options.limit as number }),
    });
    const files = { first, second };
    if (page !== null) await writeAtomically(page, new TextEncoder().encode(comparePage(result, files)));
    return { document: { files, ...result }, text: `${compareReport(result)}${page === null ? '' : `\n\nwrote ${page}`}` };
  },
};
