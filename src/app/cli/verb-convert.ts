import { parseShape, shapeOption } from './model-file.js';
import { positiveInteger, refuseOverwriting } from './options.js';
import { defineVerb } from './verb.js';

export const convertVerb = defineVerb({
  name: 'convert',
  summary: 'convert a Keras or TensorFlow.js model to a float .tflite model, and check that both compute the same',
  define: (command) =>
    shapeOption(command)
      .argument('<model>', 'a .keras or .h5 file, or the model.json of a TensorFlow.js layers model')
      .requiredOption('-o, --output <file>', 'where to write the float model')
      .option('--stop-before <layer>', 'end the model before this layer, for example one that cannot be converted')
      .option(
        '--unroll <steps>',
        'longest sequence for which recurrent layers are unrolled (default: 128)',
        positiveInteger,
      ),
  run: async (context, [file], options) => {
    const [{ loadModel }, { inspect }, { writeAtomically }, { fail }, { convertReport }] = await Promise.all([
      import('../load-model.js'),
      import('../inspect.js'),
      import('../../base/files/index.js'),
      import('../../base/errors.js'),
      import('../report/index.js'),
    ]);
    const { output, stopBefore, unroll, shape } = options;
    refuseOverwriting(output, [file]);
    const { bytes, model, convertedFrom } = await loadModel(file, {
      shapes: shape === undefined ? undefined : Object.fromEntries(shape.map(parseShape)),
      stopBefore,
      maxUnrolled: unroll,
      signal: context.signal,
      onProgress: context.progress.update,
    });
    if (convertedFrom === null) throw fail('USAGE', { reason: `${file} is a .tflite model already` });
    const { inputs, outputs, operators, macs, parameterBytes } = inspect(model, bytes);
    await writeAtomically(output, bytes);
    const counts: Record<string, number> = {};
    for (const { op } of operators) counts[op] = (counts[op] ?? 0) + 1;
    const document = {
      file,
      output,
      ...convertedFrom,
      outputBytes: bytes.byteLength,
      parameterBytes,
      macs,
      inputs,
      outputs,
      operators: counts,
    };
    return { document, text: convertReport(document) };
  },
});
