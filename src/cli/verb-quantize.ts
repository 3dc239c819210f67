import { Option } from 'commander';
import { readModelFile, shapeOption } from './model-file.js';
import { positiveInteger, refuseOverwriting } from './options.js';
import type { Verb } from './verb.js';

export const quantizeVerb: Verb = {
  name: 'quantize',
  summary: 'make an int8 model, inputs and outputs included, from a float model',
  define: (command) => {
    shapeOption(command)
      .argument('<model>', 'a float .tflite file')
      .requiredOption('--calibrate <dataset>', 'dataset file whose samples give the ranges')
      .requiredOption('-o, --output <file>', 'where to write the int8 model')
      .option('--samples <n>', 'use at most so many samples', positiveInteger)
      .addOption(new Option('--scheme <scheme>', 'quantization scheme').choices(['int8']).default('int8'))
      .addOption(new Option('--io <type>', 'type of inputs and outputs').choices(['int8']).default('int8'))
      .option('--target <target>', 'also check the result against a target');
  },
  run: async (context, [file = ''], options) => {
    const [{ openDataset }, { quantize }, { writeAtomically }, { bytesText, percentText, table }, targets] = await Promise.all([
      import('../dataset/index.js'),
      import('../quantize/index.js'),
      import('../files/index.js'),
      import('../report/index.js'),
      import('../targets/index.js'),
    ]);
    const output = String(options.output);
    refuseOverwriting(output, [file]);
    const target = options.target === undefined ? null : await targets.loadTarget(String(options.target));
    const { bytes, model } = await readModelFile(file, options);
    const dataset = await openDataset(String(options.calibrate));
    const result = await quantize(model, dataset, {
      signal: context.signal,
      onProgress: (progress) => context.progress.update('calibrate', progress),
      ...(options.samples === undefined ? {} : { samples: options.samples as number }),
    });
    const check = target === null ? null : (await import('./check-file.js')).checkFile(result.bytes, result.model, target);
    await writeAtomically(output, result.bytes);
    const { plan, calibration } = result;
    const document = {
      file,
      output,
      scheme: plan.scheme,
      sizes: { inputBytes: bytes.byteLength, outputBytes: result.bytes.byteLength },
      calibration: { dataset: calibration.dataset, samples: calibration.samples, sha256: calibration.sha256 },
      optimizations: result.optimizations,
      tensors: plan.activations,
      requantized: plan.requantize,
      warnings: result.warnings,
      ...(check === null ? {} : { check }),
    };
    const lines = [
      `${file} -> ${output}`,
      table([
        ['scheme', `${plan.scheme}, int8 inputs and outputs (verified on the written file)`],
        ['size', `${bytesText(bytes.byteLength)} -> ${bytesText(result.bytes.byteLength)} (${percentText(result.bytes.byteLength / bytes.byteLength, 0)})`],
        ['calibration', `${calibration.samples} samples of ${calibration.dataset}`],
        ...(check === null ? [] : [['target', `${check.target}: ${check.fits ? 'fits' : check.reasons.map(({ message }) => message).join('; ')}`]]),
      ]),
      ...result.warnings.map(({ code, message }) => `warning ${code}: ${message}`),
    ];
    return { document, text: lines.join('\n'), exitCode: check?.fits === false ? 1 : 0 };
  },
};
