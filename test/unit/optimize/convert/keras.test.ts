// Small models that Keras saved, converted and run: the outputs are those that Keras computed
// (test/fixtures/source/make.py).

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSource } from '../../../../src/formats/source/index.js';
import { type Model, mainSubgraph, operatorName, tensorName } from '../../../../src/formats/tflite/index.js';
import { convert } from '../../../../src/optimize/convert/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';

const folder = 'test/fixtures/source';
const expected = JSON.parse(readFileSync(path.join(folder, 'expected.json'), 'utf8')) as Record<
  string,
  { readonly input: number[]; readonly outputs: number[][] }
>;

async function converted(file: string): Promise<Model> {
  const source = await readSource(path.join(folder, file));
  if (source === null) throw new Error(`${file} is not a source model`);
  return (await convert(source)).model;
}

test.each(Object.keys(expected))('%s computes what Keras does', async (file) => {
  const interpreter = new Interpreter(await converted(file));
  const { input, outputs } = expected[file] ?? { input: [], outputs: [] };
  interpreter.setInput(0, new Uint8Array(Float32Array.from(input).buffer));
  interpreter.invoke();
  expect(interpreter.outputs).toHaveLength(outputs.length);
  for (const [position, values] of outputs.entries()) {
    const actual = new Float32Array(interpreter.output(position).buffer);
    expect(actual).toHaveLength(values.length);
    for (const [i, value] of values.entries()) expect(actual[i]).toBeCloseTo(value, 5);
  }
});

describe('a converted network', () => {
  test('has no operator that padding, normalization or activation would need', async () => {
    const model = await converted('convolutional.keras');
    expect(mainSubgraph(model).operators.map((operator) => operatorName(model, operator))).toEqual([
      'CONV_2D',
      'DEPTHWISE_CONV_2D',
      'DEPTHWISE_CONV_2D',
      'ADD',
      'ADD',
      'MUL',
      'RESHAPE',
      'FULLY_CONNECTED',
      'SOFTMAX',
      'FULLY_CONNECTED',
    ]);
  });

  test('keeps the names of inputs, outputs and layers, those of models within the model too', async () => {
    const model = await converted('convolutional.keras');
    const subgraph = mainSubgraph(model);
    const names = subgraph.tensors.map((_, index) => tensorName(subgraph, index));
    expect(names).toEqual(expect.arrayContaining(['image', 'relu', 'block/deep', 'block#2/deep', 'sum', 'gate']));
    const [signature] = model.signatureDefs;
    expect(signature?.inputs.map(({ name }) => name)).toEqual(['image']);
    expect(signature?.outputs.map(({ name }) => name)).toEqual(['scores', 'box']);
  });

  test('runs an LSTM as one operator, and the steps of a GRU one after another', async () => {
    const model = await converted('recurrent.h5');
    const names = mainSubgraph(model).operators.map((operator) => operatorName(model, operator));
    expect(names.filter((name) => name === 'UNIDIRECTIONAL_SEQUENCE_LSTM')).toHaveLength(2);
    expect(names.filter((name) => name === 'TANH')).toHaveLength(5);
  });
});
