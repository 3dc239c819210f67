// What tests of the quantizer share: datasets that are made, and how near one model's outputs are to another's.

import { type Dataset, memoryDataset as inMemory } from '../../src/data/index.js';
import { toModelInput, toRealValues } from '../../src/evaluate/index.js';
import type { Model } from '../../src/formats/tflite/index.js';
import { Interpreter } from '../../src/simulator/index.js';

/** @param samples each has one array for every input */
export function memoryDataset(
  samples: readonly (readonly Float32Array[])[],
  shapes: readonly (readonly number[])[],
): Dataset {
  return inMemory({ shapes, samples: samples.map((inputs) => ({ inputs })) });
}

/** The first output for a sample, as real values. */
export function realOutput(interpreter: Interpreter, sample: readonly Float32Array[]): Float32Array {
  const { bytes } = toModelInput(
    sample,
    interpreter.inputs,
    sample.map((_, i) => i),
    'made',
  );
  const [output] = interpreter.outputs;
  if (output === undefined) throw new Error('the model has no output');
  return toRealValues(interpreter.run(bytes).subarray(0, output.bytes), output);
}

/** In dB, of the first output over all samples; Infinity where the two are equal. */
export function signalToNoise(reference: Model, model: Model, samples: readonly (readonly Float32Array[])[]): number {
  const [a, b] = [new Interpreter(reference), new Interpreter(model)];
  let [signal, noise] = [0, 0];
  for (const sample of samples) {
    const [expected, actual] = [realOutput(a, sample), realOutput(b, sample)];
    expected.forEach((value, i) => {
      signal += value ** 2;
      noise += (value - (actual[i] as number)) ** 2;
    });
  }
  return 10 * Math.log10(signal / noise);
}
