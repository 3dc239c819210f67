import { maxDropOption } from './gate-options.js';
import { readModelFile, shapeOption } from './model-file.js';
import { positiveInteger, positiveNumber, refuseOverwriting } from './options.js';
import { defineVerb } from './verb.js';

export const adviseVerb = defineVerb({
  name: 'advise',
  summary: 'recommend a scheme for a target: tries all schemes that the data allows',
  define: (command) =>
    maxDropOption(shapeOption(command))
      .argument('<model>', 'a float model: a .tflite file, or one that convert takes')
      .requiredOption('--target <target>', 'id of a target, or a target file')
      .requiredOption('--data <dataset>', 'dataset file to evaluate on, with labels or without')
      .option('--calibrate <dataset>', 'dataset file for calibration')
      .option('--max-ms <ms>', 'accepted latency on the target, in milliseconds', positiveNumber)
      .option('--limit <n>', 'maximum number of samples to evaluate (default: 500)', positiveInteger)
      .option('--html <file>', 'also write a page with a plot'),
  run: async (context, [file], options) => {
    const [
      { advise },
      { quantizeCommand },
      { openDataset, openDatasets },
      { loadTarget },
      { writeAtomically },
      { advisePage, adviseReport },
    ] = await Promise.all([
      import('../../optimize/advise.js'),
      import('../advice/quantize-command.js'),
      import('../../data/index.js'),
      import('../../targets/index.js'),
      import('../../base/files/index.js'),
      import('../report/index.js'),
    ]);
    const page = options.html ?? null;
    if (page !== null) refuseOverwriting(page, [file, options.data, options.calibrate]);
    const target = await loadTarget(options.target);
    const { model } = await readModelFile(context, file, options);
    const calibration = options.calibrate ?? null;
    const result = await advise(
      model,
      target,
      await openDataset(options.data),
      calibration === null ? [] : await openDatasets(calibration),
      {
        signal: context.signal,
        onProgress: context.progress.update,
        ...(options.maxDrop === undefined ? {} : { maxDrop: options.maxDrop }),
        ...(options.maxMs === undefined ? {} : { maxMs: options.maxMs }),
        ...(options.limit === undefined ? {} : { limit: options.limit }),
      },
    );
    const chosen = result.trials.find(({ candidate }) => candidate.name === result.recommended);
    const command =
      chosen === undefined
        ? null
        : quantizeCommand(
            chosen.candidate,
            file,
            calibration,
            file.replace(/(\.(tflite|keras|h5))?$/, `.${chosen.candidate.scheme}.tflite`),
          );
    if (page !== null) await writeAtomically(page, new TextEncoder().encode(advisePage(result, command)));
    const text = `${adviseReport(result, command)}${page === null ? '' : `\n\nwrote ${page}`}`;
    return { document: { file, ...result, command }, text, exitCode: result.recommended === null ? 1 : 0 };
  },
});
