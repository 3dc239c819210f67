import { Option } from '@commander-js/extra-typings';
import { fail } from '../../base/errors.js';
import type { Warning } from '../../base/warnings.js';
import type { GateResult, Limits } from '../../evaluate/index.js';
import type { Model } from '../../formats/tflite/index.js';
import type { RepairName } from '../../optimize/quantize/index.js';
import type { CheckResult, Target } from '../../targets/index.js';
import type { Quantized } from '../report/index.js';
import { granularities, ioTypes, rangeMethodNames, repairChoices, schemeChoices, widerTypes } from './choices.js';
import { forceOption, limitOptions, limitsOf, maxDropOption, requireTargetForCosts } from './gate-options.js';
import { readModelFile, shapeOption } from './model-file.js';
import { positiveInteger, positiveNumber, refuseOverwriting } from './options.js';
import { pairedScores } from './paired-scores.js';
import { planKernels } from './plan-kernels.js';
import { type Context, defineVerb } from './verb.js';

export const quantizeVerb = defineVerb({
  name: 'quantize',
  summary: 'quantize a float model to int8, including inputs and outputs',
  define: (command) =>
    forceOption(limitOptions(maxDropOption(shapeOption(command))))
      .argument('<model>', 'a float model: a .tflite file, or one that convert takes')
      .option(
        '--calibrate <dataset>',
        'dataset file for calibration (not needed for schemes without integer activations)',
      )
      .option('--statistics <file>', 'use the statistics of an earlier calibration of this model')
      .option('--save-statistics <file>', 'save the statistics of this calibration')
      .requiredOption('-o, --output <file>', 'where to write the quantized model')
      .option('--samples <n>', 'maximum number of samples', positiveInteger)
      .addOption(new Option('--scheme <scheme>', 'quantization scheme').choices(schemeChoices).default('int8'))
      .addOption(new Option('--io <type>', "type of inputs and outputs (default: the scheme's)").choices(ioTypes))
      .addOption(
        new Option(
          '--ranges <method>',
          "how to derive a tensor's range from its values; auto chooses by measured output error",
        )
          .choices([...rangeMethodNames, 'auto'])
          .default('min-max'),
      )
      .addOption(
        new Option(
          '--repair <passes...>',
          'reduce the error of the outputs; a pass that does not is undone; all: all except dead-channels',
        ).choices([...repairChoices, 'all']),
      )
      .addOption(
        new Option('--dense <granularity>', 'scales of the weights of FULLY_CONNECTED')
          .choices(granularities)
          .default('per-tensor'),
      )
      .option(
        '--min-snr <dB>',
        'widen operators until the outputs reach this SNR in dB on calibration data',
        positiveNumber,
      )
      .addOption(new Option('--wider <type>', 'type of widened operators').choices(widerTypes).default('int16'))
      .option(
        '--sparse',
        "write weights with many zeros in TFLite's sparse encoding: a smaller file, for runtimes with DENSIFY",
      )
      .option(
        '--plan-memory',
        'reorder operators and place tensors for the smallest arena, and store the plan in the file for TFLM',
      )
      .option('--data <dataset>', 'also evaluate the float and the quantized model on this dataset')
      .option('--target <target>', 'also check the result against a target'),
  run: async (context, [file], options) => {
    const [
      { openDatasets },
      { calibrationText, harmlessRepairs, parseCalibration, quantize, schemes },
      { readText, writeAtomically },
      targets,
    ] = await Promise.all([
      import('../../data/index.js'),
      import('../../optimize/quantize/index.js'),
      import('../../base/files/index.js'),
      import('../../targets/index.js'),
    ]);
    const output = options.output;
    const inputs = [file, options.calibrate, options.statistics, options.data, options.target];
    refuseOverwriting(output, inputs);
    const target = options.target === undefined ? null : await targets.loadTarget(options.target);
    const { bytes, model } = await readModelFile(context, file, options);
    const datasets = options.calibrate === undefined ? [] : await openDatasets(options.calibrate);
    const { scheme, io, ranges, dense, samples } = options;
    const repairs = (options.repair as readonly (RepairName | 'all')[] | undefined) ?? [];
    const statistics = options.statistics ?? null;
    const saved = options.saveStatistics ?? null;
    if (saved !== null) refuseOverwriting(saved, [...inputs, output]);
    if (schemes[scheme].activations === null && (repairs.length > 0 || saved !== null)) {
      throw fail('USAGE', {
        reason:
          `scheme ${scheme} needs no calibration: --repair and --save-statistics apply to schemes with integer ` +
          'activations',
      });
    }
    const result = await quantize(model, datasets, {
      ...(statistics === null ? {} : { calibration: parseCalibration(await readText(statistics), statistics) }),
      histograms: saved !== null,
      signal: context.signal,
      onProgress: context.progress.update,
      sparse: options.sparse === true,
      ...(options.planMemory === true ? { planMemoryFor: await planKernels(target) } : {}),
      repairs: repairs.flatMap((name) => (name === 'all' ? harmlessRepairs : [name])),
      scheme,
      ranges,
      dense,
      ...(io === undefined ? {} : { io }),
      ...(samples === undefined ? {} : { samples }),
      ...(options.minSnr === undefined ? {} : { minDecibels: options.minSnr, wider: options.wider }),
    });
    const [{ quantizeDocument, quantizeReport }, { checkFile, compressedBytes }] = await Promise.all([
      import('../report/index.js'),
      import('../../devices/bundle/index.js'),
    ]);
    const facts = targets.factsOf(result.model);
    const checkFor = (wanted: Target): CheckResult => checkFile(result.bytes, result.model, wanted, { facts });
    const check = target === null ? null : checkFor(target);
    const unmixedMs =
      target === null || result.mixed === null || check?.latencyMs == null
        ? null
        : targets.estimateLatency(result.mixed.unmixed, target).value;
    const limits = limitsOf(options);
    if (options.data === undefined && (limits.maxDrop ?? limits.min) !== undefined)
      throw fail('USAGE', { reason: '--max-drop and --min need --data' });
    requireTargetForCosts(limits, options.target);
    const judged =
      options.data === undefined ? null : await accuracyOf(context, model, result.model, options.data, limits);
    const { costGates, requireGates } = await import('../../evaluate/index.js');
    const gates = [
      ...(judged?.gates ?? []),
      ...costGates(limits, check?.latencyMs?.value ?? null, check?.memory.arenaBytes ?? null),
    ];
    // Without a limit from the user a drop is reported, not refused.
    const demanded = gates.filter(({ gate }) => gate !== 'max-drop' || limits.maxDrop !== undefined);
    if (options.force !== true) requireGates(demanded, 'nothing was written');
    await writeAtomically(output, result.bytes);
    if (saved !== null && result.calibration !== null)
      await writeAtomically(saved, new TextEncoder().encode(calibrationText(result.calibration)));
    const quantized = {
      file,
      output,
      inputBytes: bytes.byteLength,
      compressedBytes: compressedBytes(result.bytes),
      result: { ...result, warnings: [...result.warnings, ...(judged?.warnings ?? [])] },
      check,
      unmixedMs,
      accuracy: judged?.accuracy ?? null,
      gates,
      // The shipped targets that the model fits, with its latency on each.
      targets: (await targets.loadShippedTargets())
        .map(checkFor)
        .map(({ target: id, fits, latencyMs }) => ({ target: id, fits, latencyMs })),
    };
    return {
      document: quantizeDocument(quantized),
      text: quantizeReport(quantized),
      exitCode: check?.fits === false ? 1 : 0,
    };
  },
});

async function accuracyOf(
  context: Context,
  float: Model,
  quantized: Model,
  data: string,
  limits: Limits,
): Promise<{
  readonly accuracy: Quantized['accuracy'];
  readonly gates: readonly GateResult[];
  readonly warnings: readonly Warning[];
}> {
  const [{ dropGate, minGate }, { quantize }] = await Promise.all([
    import('../../evaluate/index.js'),
    import('../../optimize/quantize/index.js'),
  ]);
  const dequantized = (await quantize(float, [], { scheme: 'float32' })).model;
  const { float: before, quantized: after } = await pairedScores(context, { float: dequantized, quantized }, { data });
  const { metric, value, samples } = after.evaluation;
  return {
    accuracy: { metric, float: before.evaluation.value, quantized: value, samples },
    warnings: distinct([...before.evaluation.warnings, ...after.evaluation.warnings]),
    gates: [
      dropGate(limits, before.scored, after.scored),
      ...(limits.min === undefined ? [] : [minGate(limits.min, after.scored)]),
    ],
  };
}

/** Drops repeated warnings: both models may cause the same one. */
function distinct(warnings: readonly Warning[]): Warning[] {
  return [...new Map(warnings.map((warning) => [warning.message, warning])).values()];
}
