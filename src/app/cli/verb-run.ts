import { Option } from '@commander-js/extra-typings';
import { fail } from '../../base/errors.js';
import type { Model } from '../../formats/tflite/index.js';
import type { OperatorProfile } from '../../simulator/index.js';
import { deviceHelp, kernelProfileNames, ownTargetHelp } from './choices.js';
import { openRunner, requireMainSubgraph, type SimulatorOptions, simulationOptions } from './device-runner.js';
import { readModelFile, shapeOption } from './model-file.js';
import { collect, positiveInteger, refuseOverwriting } from './options.js';
import { inputFiles, readSamples } from './run-inputs.js';
import { uncompiledOption } from './uncompiled.js';
import { defineVerb } from './verb.js';

export const runVerb = defineVerb({
  name: 'run',
  summary: 'run a model on raw tensors, on this host or on a device',
  define: (command) =>
    uncompiledOption(shapeOption(command))
      .argument('<model>', 'a .tflite file, or a model that convert takes')
      .requiredOption(
        '--input <[name=]file>',
        "raw little-endian tensors in the model's types, or .npy arrays; one file with all inputs, or one per input",
        collect,
      )
      .option('--output <file>', 'where to write the raw outputs')
      .option(
        '--stream',
        'treat the samples as one stream: a model that keeps state is reset before the first sample only',
      )
      .option('--repeat <n>', 'number of runs per sample', positiveInteger)
      .addOption(new Option('--kernels <profile>', 'kernel profile of the simulator').choices(kernelProfileNames))
      .option('--profile', 'measure the time of each operator on the simulator, with the first sample')
      .option('--threads <n>', 'number of simulator threads; outputs do not depend on it', positiveInteger)
      .option('--signature <key>', 'signature to run instead of the main subgraph')
      .option('--device <uri>', `run on this device; the model is pushed first if needed: ${deviceHelp}`)
      .option('--target <file>', `with --device: ${ownTargetHelp}`),
  run: async (context, [file], options) => {
    const [
      { writeAtomically },
      { runBatch },
      { arenaOf, inputsAndOutputs, referenceKernels },
      { measurementLines, millisecondsText, bytesText, table },
    ] = await Promise.all([
      import('../../base/files/index.js'),
      import('../../evaluate/index.js'),
      import('../../simulator/index.js'),
      import('../report/index.js'),
    ]);
    if (options.profile === true && options.device !== undefined)
      throw fail('USAGE', { reason: '--profile measures the simulator and cannot be combined with --device' });
    if (options.stream === true && options.repeat !== undefined)
      throw fail('USAGE', {
        reason: '--repeat cannot be combined with --stream: repeated samples would become part of the stream',
      });
    const { bytes, model } = await readModelFile(context, file, options);
    requireMainSubgraph(options);
    // Report missing inputs before anything is sent to a device.
    const { inputs } = inputsAndOutputs(model, options.signature);
    const files = inputFiles(options.input, inputs);
    if (options.output !== undefined) refuseOverwriting(options.output, [file, ...files]);
    const samples = await readSamples(files, inputs);
    const opened = await openRunner(context, file, bytes, model, options);
    try {
      const result = await runBatch(opened.runner, samples, files.join(', '), {
        signal: context.signal,
        onProgress: context.progress.update,
        stream: options.stream === true,
        ...(options.repeat === undefined ? {} : { repeat: options.repeat }),
      });
      if (options.output !== undefined) await writeAtomically(options.output, result.outputs);
      // A device's arena is planned for the main subgraph.
      const simulated = (): number | null =>
        options.signature === undefined ? arenaOf(model, referenceKernels).arenaBytes : null;
      const arenaBytes = opened.measure === null ? simulated() : opened.arenaBytes;
      const { min, median, p95, basis } = result.latencyMs;
      const operators = options.profile === true ? await operatorTimes(model, samples, options) : null;
      const measurement = (await opened.measure?.()) ?? null;
      const times = [
        `${millisecondsText(median)} median`,
        `${millisecondsText(min)} min`,
        `${millisecondsText(p95)} p95`,
      ];
      const latencyText = `${times.join(', ')} (${basis})`;
      const arenaText = arenaBytes === null || arenaBytes === 0 ? '' : `; arena ${bytesText(arenaBytes)}`;
      return {
        document: {
          file,
          device: options.device ?? null,
          samples: result.samples,
          latencyMs: result.latencyMs,
          arenaBytes,
          output: options.output ?? null,
          warnings: result.warnings,
          ...(operators === null ? {} : { operators }),
          ...(measurement === null ? {} : { measurement }),
        },
        text: [
          ...(operators === null ? [] : [operatorTable(operators, table)]),
          `${result.samples} sample(s): ${latencyText}${arenaText}`,
          ...(measurement === null ? [] : measurementLines(measurement)),
          ...result.warnings.map(({ code, message }) => `warning ${code}: ${message}`),
        ].join('\n'),
      };
    } finally {
      await opened.close();
    }
  },
});

async function operatorTimes(model: Model, samples: Uint8Array, options: SimulatorOptions): Promise<OperatorProfile[]> {
  const { inputsAndOutputs, profileOperators } = await import('../../simulator/index.js');
  const simulation = simulationOptions(options);
  const sampleBytes = inputsAndOutputs(model, simulation.signature).inputs.reduce((sum, { bytes }) => sum + bytes, 0);
  return profileOperators(model, samples.subarray(0, sampleBytes), simulation);
}

function operatorTable(
  operators: readonly OperatorProfile[],
  table: (rows: readonly string[][], header: readonly string[]) => string,
): string {
  const total = operators.reduce((sum, { latencyMs }) => sum + latencyMs, 0);
  const rows = operators.map(({ index, op, shape, macs, latencyMs, gmacPerSecond }) => [
    String(index),
    op,
    shape.join('x'),
    latencyMs.toFixed(4),
    `${((100 * latencyMs) / total).toFixed(1)} %`,
    macs === 0 ? '' : String(macs),
    gmacPerSecond === null ? '' : gmacPerSecond.toFixed(1),
  ]);
  return table(rows, ['#', 'operator', 'output', 'ms', 'share', 'MACs', 'GMAC/s']);
}
