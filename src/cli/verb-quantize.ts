import { Option } from 'commander';
import { fail } from '../errors.js';
import type { QuantizeOptions, QuantizeResult, RepairName, WiderType } from '../quantize/index.js';
import type { CheckResult } from '../targets/index.js';
import type { Model } from '../tflite/index.js';
import { granularities, ioTypes, rangeMethodNames, repairChoices, schemeChoices, widerTypes } from './choices.js';
import { readModelFile, shapeOption } from './model-file.js';
import { positiveInteger, positiveNumber, refuseOverwriting } from './options.js';
import type { Context, Outcome, Verb } from './verb.js';

export const quantizeVerb: Verb = {
  name: 'quantize',
  summary: 'make an int8 model, inputs and outputs included, from a float model',
  define: (command) => {
    shapeOption(command)
      .argument('<model>', 'a float .tflite file')
      .option('--calibrate <dataset>', 'dataset file whose samples give the ranges; schemes without integer activations need none')
      .option('--statistics <file>', 'statistics of an earlier calibration of this model, instead of running it again')
      .option('--save-statistics <file>', 'keep the statistics of this calibration')
      .requiredOption('-o, --output <file>', 'where to write the quantized model')
      .option('--samples <n>', 'use at most so many samples', positiveInteger)
      .addOption(new Option('--scheme <scheme>', 'quantization scheme').choices(schemeChoices).default('int8'))
      .addOption(new Option('--io <type>', "type of inputs and outputs; the scheme's own unless given").choices(ioTypes))
      .addOption(
        new Option('--ranges <method>', "how a tensor's range follows from its values; auto measures what serves the output best")
          .choices([...rangeMethodNames, 'auto'])
          .default('min-max'),
      )
      .addOption(
        new Option('--repair <passes...>', 'bring the outputs nearer to the float ones; each pass is kept only where it does').choices([
          ...repairChoices,
          'all',
        ]),
      )
      .addOption(new Option('--dense <granularity>', 'scales of the weights of FULLY_CONNECTED').choices(granularities).default('per-tensor'))
      .option('--min-snr <dB>', 'widen operators until the outputs are so near to the float ones, on calibration data', positiveNumber)
      .addOption(new Option('--wider <type>', 'what operators are widened to').choices(widerTypes).default('int16'))
      .option('--sparse', "write weights of many zeros in TFLite's sparse encoding: a smaller file, for runtimes that have DENSIFY")
      .option('--data <dataset>', 'also evaluate the float and the quantized model on this dataset')
      .option('--target <target>', 'also check the result against a target');
  },
  run: async (context, [file = ''], options) => {
    const [{ openDatasets }, { calibrationText, parseCalibration, quantize, repairNames, schemes }, { readText, writeAtomically }, targets] = await Promise.all(
      [import('../dataset/index.js'), import('../quantize/index.js'), import('../files/index.js'), import('../targets/index.js')],
    );
    const output = String(options.output);
    const inputs = [file, options.calibrate, options.statistics, options.data];
    refuseOverwriting(output, inputs);
    const target = options.target === undefined ? null : await targets.loadTarget(String(options.target));
    const { bytes, model } = await readModelFile(file, options);
    const datasets = options.calibrate === undefined ? [] : await openDatasets(String(options.calibrate));
    const { scheme, io, ranges, dense, samples } = options as unknown as QuantizeOptions;
    const repairs = (options.repair as readonly (RepairName | 'all')[] | undefined) ?? [];
    const statistics = options.statistics === undefined ? null : String(options.statistics);
    const saved = options.saveStatistics === undefined ? null : String(options.saveStatistics);
    if (saved !== null) refuseOverwriting(saved, [...inputs, output]);
    if (schemes[scheme ?? 'int8'].activations === null && (repairs.length > 0 || saved !== null)) {
      throw fail('USAGE', { reason: `scheme ${scheme} is not calibrated: --repair and --save-statistics are for schemes with integer activations` });
    }
    const result = await quantize(model, datasets, {
      ...(statistics === null ? {} : { calibration: parseCalibration(await readText(statistics), statistics) }),
      histograms: saved !== null,
      signal: context.signal,
      onProgress: (progress, step) => context.progress.update(step, progress),
      sparse: options.sparse === true,
      repairs: repairs.includes('all') ? repairNames : (repairs as readonly RepairName[]),
      ...(scheme === undefined ? {} : { scheme }),
      ...(io === undefined ? {} : { io }),
      ...(ranges === undefined ? {} : { ranges }),
      ...(dense === undefined ? {} : { dense }),
      ...(samples === undefined ? {} : { samples }),
      ...(options.minSnr === undefined ? {} : { minDecibels: options.minSnr as number, wider: options.wider as WiderType }),
    });
    const check = target === null ? null : (await import('./check-file.js')).checkFile(result.bytes, result.model, target);
    const accuracy = options.data === undefined ? null : await accuracyOf(context, model, result.model, String(options.data));
    await writeAtomically(output, result.bytes);
    if (saved !== null && result.calibration !== null) await writeAtomically(saved, new TextEncoder().encode(calibrationText(result.calibration)));
    return outcomeOf({ file, output, inputBytes: bytes.byteLength }, result, { check, accuracy, targets: await targetsOf(result) });
  },
};

interface Files {
  readonly file: string;
  readonly output: string;
  readonly inputBytes: number;
}

interface Findings {
  readonly check: CheckResult | null;
  readonly accuracy: { readonly metric: string; readonly float: number; readonly quantized: number; readonly samples: number } | null;
  readonly targets: readonly { readonly target: string; readonly fits: boolean; readonly latencyMs: CheckResult['latencyMs'] }[];
}

async function outcomeOf({ file, output, inputBytes }: Files, result: QuantizeResult, { check, accuracy, targets }: Findings): Promise<Outcome> {
  const { bytesText, metricText, percentText, table } = await import('../report/index.js');
  const { compressedBytes: compressedBytesOf } = await import('../bundle/index.js');
  const { plan, calibration, bytes } = result;
  const compressedBytes = compressedBytesOf(bytes);
  const runs = calibration?.subgraphs ?? [];
  const calibrations = runs.map(({ signature, dataset, samples, seed, sha256 }) => ({ signature, dataset, samples, seed, sha256 }));
  const document = {
    file,
    output,
    scheme: plan.scheme,
    io: plan.io,
    sizes: { inputBytes, outputBytes: bytes.byteLength, compressedBytes },
    // With several signatures, of the first; the others follow in `calibrations`.
    calibration: calibrations[0] ?? null,
    ...(calibrations.length > 1 ? { calibrations } : {}),
    optimizations: result.optimizations,
    rangeMethods: result.rangeMethods,
    repairs: result.repairs,
    mixed: result.mixed,
    sparseTensors: result.sparseTensors,
    operators: plan.subgraphs.flatMap(({ subgraph, operators }) => operators.map((operator, index) => ({ subgraph, index, ...operator }))),
    tensors: plan.subgraphs.flatMap(({ subgraph, activations }) => activations.map((activation) => ({ subgraph, ...activation }))),
    conversions: plan.subgraphs.flatMap(({ subgraph, conversions }) => conversions.map((conversion) => ({ subgraph, ...conversion }))),
    accuracy,
    targets,
    warnings: result.warnings,
    ...(check === null ? {} : { check }),
  };
  const lines = [
    `${file} -> ${output}`,
    table([
      ['scheme', `${plan.scheme}, ${plan.io} inputs and outputs (verified on the written file)`],
      [
        'size',
        `${bytesText(inputBytes)} -> ${bytesText(bytes.byteLength)} (${percentText(bytes.byteLength / inputBytes, 0)}), ${bytesText(compressedBytes)} to send`,
      ],
      ...runs.map(({ signature, samples, dataset }) => ['calibration', `${samples} samples of ${dataset}${signature === null ? '' : ` for ${signature}`}`]),
      ...result.repairs.map(({ name, before, after, kept }) => [name, `SNR ${before.toFixed(2)} -> ${after.toFixed(2)} dB${kept ? '' : ', taken back'}`]),
      ...(result.sparseTensors === 0 ? [] : [['sparse', `the weights of ${result.sparseTensors} layer(s)`]]),
      ...mixedRows(result),
      ...(accuracy === null
        ? []
        : [
            [
              'accuracy',
              `${accuracy.metric}: float ${metricText(accuracy.metric, accuracy.float)}, quantized ${metricText(accuracy.metric, accuracy.quantized)} (${accuracy.samples} samples)`,
            ],
          ]),
      ['fits', targets.flatMap(({ target, fits }) => (fits ? [target] : [])).join(', ') || 'none of the shipped targets'],
      ...(check === null ? [] : [['target', `${check.target}: ${check.fits ? 'fits' : check.reasons.map(({ message }) => message).join('; ')}`]]),
    ]),
    ...result.warnings.map(({ code, message }) => `warning ${code}: ${message}`),
  ];
  return { document, text: lines.join('\n'), exitCode: check?.fits === false ? 1 : 0 };
}

function mixedRows({ mixed }: QuantizeResult): string[][] {
  if (mixed === null) return [];
  const { operators, wider, before, after, reached, arenaBytes } = mixed;
  const names = operators.map(({ operator, op }) => `${operator} ${op}`).join(', ');
  const chosen = operators.length === 0 ? 'none' : names;
  return [
    [`in ${wider}`, chosen],
    [
      'precision',
      `SNR ${before.toFixed(2)} -> ${after.toFixed(2)} dB${reached ? '' : ', less than was asked for'}; arena ${arenaBytes.before} -> ${arenaBytes.after} bytes`,
    ],
  ];
}

/** Which of the shipped targets take the model, and how long it would run there. */
async function targetsOf({ model, bytes }: QuantizeResult): Promise<Findings['targets']> {
  const { checkModel, loadTarget, shippedTargets } = await import('../targets/index.js');
  const targets = await Promise.all((await shippedTargets()).map(loadTarget));
  return targets.map((target) => {
    const { fits, latencyMs } = checkModel(model, target, bytes.byteLength);
    return { target: target.id, fits, latencyMs };
  });
}

async function accuracyOf(context: Context, float: Model, quantized: Model, data: string): Promise<Findings['accuracy']> {
  const [{ evaluate, hostRunner }, { openDataset }, { quantize }] = await Promise.all([
    import('../evaluate/index.js'),
    import('../dataset/index.js'),
    import('../quantize/index.js'),
  ]);
  const dataset = await openDataset(data);
  const measure = (model: Model, step: string) =>
    evaluate(hostRunner(model), dataset, { signal: context.signal, onProgress: (progress) => context.progress.update(step, progress) });
  const before = await measure((await quantize(float, [], { scheme: 'float32' })).model, 'evaluate float');
  const after = await measure(quantized, 'evaluate quantized');
  return { metric: before.metric, float: before.value, quantized: after.value, samples: after.samples };
}
