import { Option } from '@commander-js/extra-typings';
import { defined } from '../../base/checked.js';
import type { Model } from '../../formats/tflite/index.js';
import { deviceHelp, kernelProfileNames, ownTargetHelp } from './choices.js';
import { openRunner } from './device-runner.js';
import { limitOptions, limitsOf } from './gate-options.js';
import { readModelFile, shapeOption } from './model-file.js';
import { positiveInteger } from './options.js';
import { uncompiledOption } from './uncompiled.js';
import { defineVerb } from './verb.js';

export const evaluateVerb = defineVerb({
  name: 'evaluate',
  writesJunit: true,
  summary: 'measure accuracy and latency on a dataset, on this host or on a device',
  define: (command) =>
    limitOptions(uncompiledOption(shapeOption(command)))
      .argument('<model>', 'a .tflite file, float or quantized, or a model that convert takes')
      .requiredOption('--data <dataset>', 'dataset file with labels or targets')
      .option('--limit <n>', "maximum number of samples, drawn with the dataset's seed", positiveInteger)
      .addOption(new Option('--kernels <profile>', 'kernel profile of the simulator').choices(kernelProfileNames))
      .option('--threads <n>', 'number of simulator threads; outputs do not depend on it', positiveInteger)
      .option('--signature <key>', 'signature to run instead of the main subgraph')
      .option('--device <uri>', `evaluate on this device; the model is pushed first if needed: ${deviceHelp}`)
      .option('--target <file>', `with --device: ${ownTargetHelp}`),
  run: async (context, [file], options) => {
    const [
      { costGates, evaluate, minGate },
      { openDataset },
      { gateCases, gateLines, measurementLines, metricText, millisecondsText },
    ] = await Promise.all([
      import('../../evaluate/index.js'),
      import('../../data/index.js'),
      import('../report/index.js'),
    ]);
    const { bytes, model } = await readModelFile(context, file, options);
    const dataset = await openDataset(options.data);
    const opened = await openRunner(context, file, bytes, model, options);
    try {
      const result = await evaluate(opened.runner, dataset, {
        signal: context.signal,
        onProgress: context.progress.update,
        ...(options.limit === undefined ? {} : { limit: options.limit }),
      });
      const measurement = (await opened.measure?.()) ?? null;
      // It has memoized these samples.
      const simulator =
        opened.host === null
          ? null
          : await evaluate(
              opened.host,
              dataset,
              options.limit === undefined ? {} : { limit: defined(options.limit) as number },
            );
      const limits = limitsOf(options);
      const gates = [
        ...(limits.min === undefined ? [] : [minGate(limits.min, result)]),
        ...costGates(limits, result.latencyMs.median, opened.arenaBytes ?? (await arenaIfPlanned(model))),
      ];
      const { median, p95, basis } = result.latencyMs;
      const lines = [
        `${result.metric} ${metricText(result.metric, result.value)} on ${result.samples} samples of ${result.dataset}`,
        `latency ${millisecondsText(median)} median, ${millisecondsText(p95)} p95 (${basis})`,
        ...(simulator === null
          ? []
          : [`${metricText(simulator.metric, simulator.value)} by the simulator on the same samples`]),
        ...(measurement === null ? [] : measurementLines(measurement)),
        ...gateLines(gates),
        ...result.warnings.map(({ code, message }) => `warning ${code}: ${message}`),
      ];
      return {
        document: {
          file,
          device: options.device ?? null,
          ...result,
          gates,
          ...(simulator === null ? {} : { simulator: { metric: simulator.metric, value: simulator.value } }),
          ...(measurement === null ? {} : { measurement }),
        },
        text: lines.join('\n'),
        cases: [
          { name: `${result.metric} ${metricText(result.metric, result.value)}`, failure: null },
          ...gateCases(gates),
        ],
        exitCode: gates.every(({ passed }) => passed) ? 0 : 1,
      };
    } finally {
      await opened.close();
    }
  },
});

/** For the reference kernels; null if the model cannot be planned. */
async function arenaIfPlanned(model: Model): Promise<number | null> {
  const { arenaOf, referenceKernels, simulates } = await import('../../simulator/index.js');
  return simulates(model) && model.subgraphs.length > 0 ? arenaOf(model, referenceKernels).arenaBytes : null;
}
