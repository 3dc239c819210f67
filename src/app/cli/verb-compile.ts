import { InvalidArgumentError } from '@commander-js/extra-typings';
import { fail, reasonOf } from '../../base/errors.js';
import { started } from '../../base/progress.js';
import type { Model } from '../../formats/tflite/index.js';
import type { Compilation, PredictionDifference } from '../../targets/compiled/index.js';
import type { CheckResult, Target } from '../../targets/index.js';
import type { PredictionDocument } from '../documents/index.js';
import { readModelFile } from './model-file.js';
import { positiveInteger, refuseOverwriting } from './options.js';
import { type Context, defineVerb, type Outcome } from './verb.js';

function runtimeVersion(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 10 || value > 14)
    throw new InvalidArgumentError('Versions of libedgetpu are 10 to 14.');
  return value;
}

function seconds(text: string): number {
  return Math.min(positiveInteger(text), 86400);
}

export const compileVerb = defineVerb({
  name: 'compile',
  summary: 'compile for the Edge TPU with edgetpu_compiler, if installed, and compare with the prediction',
  define: (command) =>
    command
      .argument('<model>', 'an int8 or uint8 .tflite file')
      .option(
        '-o, --output <file>',
        'where to write the compiled model (default: beside the input, with _edgetpu in its name)',
      )
      .option('--compiler <path>', 'path of edgetpu_compiler (default: from PATH)')
      .option('--multiple-subgraphs', 'map every possible part of the graph (-a)')
      .option('--min-runtime <version>', 'minimum version of libedgetpu for the result (-m)', runtimeVersion)
      .option('--timeout <seconds>', 'time limit, up to a day', seconds)
      .option('--bisect', 'if it fails: find the operator that causes it, and write the model up to there'),
  run: async (context, [file], options) => {
    const [{ loadTarget }, { checkFile }, { findCompiler }, { refuseCompiled }] = await Promise.all([
      import('../../targets/index.js'),
      import('../../devices/bundle/index.js'),
      import('../../targets/compiled/index.js'),
      import('../../simulator/index.js'),
    ]);
    const output = options.output === undefined ? `${file.replace(/\.tflite$/, '')}_edgetpu.tflite` : options.output;
    const failing = output.replace(/(_edgetpu)?\.tflite$|$/, '_failing.tflite');
    refuseOverwriting(output, [file, options.compiler]);
    if (options.bisect === true) refuseOverwriting(failing, [file, options.compiler]);
    const { bytes, model } = await readModelFile(context, file);
    const multipleSubgraphs = options.multipleSubgraphs === true;
    const target = await loadTarget('coral-usb');
    refuseCompiled(model);
    const prediction = checkFile(bytes, model, target, { multipleSubgraphs });
    const compiler = await findCompiler(options.compiler ?? null);
    if (compiler === null) return predictedOnly(file, target, prediction);
    const run = {
      compiler,
      multipleSubgraphs,
      signal: context.signal,
      ...(options.minRuntime === undefined ? {} : { minRuntimeVersion: options.minRuntime }),
      ...(options.timeout === undefined ? {} : { timeoutSeconds: options.timeout }),
    };
    const { runCompiler } = await import('../../targets/compiled/index.js');
    context.progress.update(started('compile'));
    const compilation = await runCompiler(bytes, run);
    if (compilation.bytes !== null) return written(file, output, compilation, compilation.bytes, prediction);
    const reason = compilation.log.failure ?? 'no reason given';
    if (options.bisect !== true) throw fail('EDGETPU_COMPILE', { file, reason });
    const fails = async (part: Uint8Array): Promise<boolean> => (await runCompiler(part, run)).bytes === null;
    return bisected(context, file, failing, model, reason, fails);
  },
});

async function written(
  file: string,
  output: string,
  { log }: Compilation,
  bytes: Uint8Array,
  prediction: CheckResult,
): Promise<Outcome<'compile'>> {
  const [
    { compareWithPrediction, compiledModelOf, describeCompiled },
    { readModel },
    { writeAtomically },
    { bytesText, table },
  ] = await Promise.all([
    import('../../targets/compiled/index.js'),
    import('../../formats/tflite/index.js'),
    import('../../base/files/index.js'),
    import('../report/index.js'),
  ]);
  const compiled = opened(() => compiledModelOf(readModel(bytes, 'the compiled file')));
  await writeAtomically(output, bytes);
  const parameters = compiled === null ? null : compiled.cachedParameterBytes + compiled.streamedParameterBytes;
  const differences = compareWithPrediction(prediction, log, parameters);
  const rows = [
    ['compiler', `${log.version ?? 'of unknown version'}, ${log.milliseconds} ms`],
    ['parts', String(log.subgraphs ?? compiled?.parts.length ?? 0)],
    [
      'parameters',
      `${bytesText(compiled?.cachedParameterBytes ?? 0)} cached, ` +
        `${bytesText(compiled?.streamedParameterBytes ?? 0)} sent at every inference`,
    ],
    [
      'runtime',
      compiled === null ? 'nothing was mapped to the Edge TPU' : `libedgetpu ${compiled.minRuntimeVersion} or newer`,
    ],
  ];
  return {
    document: {
      file,
      output,
      compiled: { ...(compiled === null ? {} : describeCompiled(compiled)), log },
      predicted: summaryOf(prediction),
      differences,
    },
    text: [
      `${file} -> ${output}`,
      table(rows),
      ...(log.table.length === 0 ? ['its log lists no operators, so they are not compared'] : []),
      ...differenceLines(differences),
    ].join('\n'),
  };
}

/** @throws EDGETPU_COMPILER_FAILED if its output is not a model */
function opened<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw fail(
      'EDGETPU_COMPILER_FAILED',
      { path: 'edgetpu_compiler', reason: `its output cannot be read: ${reasonOf(error)}` },
      error,
    );
  }
}

function differenceLines(differences: readonly PredictionDifference[]): string[] {
  if (differences.length === 0) return ['as predicted'];
  return differences.map(
    ({ what, predicted, compiled }) => `differs from the prediction: ${what}: ${compiled} instead of ${predicted}`,
  );
}

function summaryOf({ operators, npuSubgraphs, memory, latencyMs }: CheckResult): PredictionDocument {
  return { operators, npuSubgraphs, memory, latencyMs };
}

/** Without the compiler: a prediction, and where to get the compiler. */
async function predictedOnly(file: string, target: Target, prediction: CheckResult): Promise<Outcome<'compile'>> {
  const { checkReport } = await import('../report/index.js');
  const how = [
    'edgetpu_compiler is not installed, so nothing was compiled. It is the package edgetpu-compiler of Google, for',
    'x86-64 Debian and Ubuntu only: see coral.ai/docs/edgetpu/compiler to install it; --compiler names the program',
    'elsewhere. The prediction for this model:',
  ];
  return {
    document: { file, output: null, compiled: null, predicted: summaryOf(prediction), differences: [] },
    text: [...how, '', checkReport(file, target, prediction)].join('\n'),
  };
}

async function bisected(
  context: Context,
  file: string,
  failing: string,
  model: Model,
  reason: string,
  fails: (part: Uint8Array) => Promise<boolean>,
): Promise<Outcome<'compile'>> {
  const [{ bisect }, { mainSubgraph, writeModel }, { writeAtomically }] = await Promise.all([
    import('../../targets/compiled/index.js'),
    import('../../formats/tflite/index.js'),
    import('../../base/files/index.js'),
  ]);
  const most = Math.ceil(Math.log2(mainSubgraph(model).operators.length)) + 1;
  let done = 0;
  const found = await bisect(model, async (part) => {
    context.progress.update({ step: 'bisect', done: done++, total: most });
    return fails(part);
  });
  if (found === null)
    throw fail('EDGETPU_COMPILE', {
      file,
      reason: `${reason} (but not for its operators as a separate model)`,
    });
  await writeAtomically(failing, writeModel(found.model));
  const { operators, op, runs } = found;
  return {
    document: { file, output: failing, compiled: null, failure: reason, bisection: { operators, op, runs } },
    text:
      `edgetpu_compiler fails on ${file}: ${reason}\nat operator ${operators - 1} ${op}: it compiles the ` +
      `${operators - 1} operator(s) before it (${runs} runs)\n${failing} contains the model up to there`,
    exitCode: 1,
  };
}
