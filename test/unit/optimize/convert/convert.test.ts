import { describe, expect, test } from 'vitest';
import type { Attributes, SourceGraph, SourceNode, SourceWeight } from '../../../../src/formats/source/index.js';
import { mainSubgraph } from '../../../../src/formats/tflite/index.js';
import { checkConversion } from '../../../../src/optimize/convert/check.js';
import { convert } from '../../../../src/optimize/convert/index.js';
import { kerasOperator } from '../../../../src/optimize/convert/keras/index.js';
import { lower } from '../../../../src/optimize/convert/lower.js';

function weight(shape: readonly number[], values: readonly number[]): SourceWeight {
  return { name: 'w', shape, type: 'float32', values: () => Float32Array.from(values) };
}

function node(
  path: string,
  operator: string,
  input: string,
  attributes: Attributes = {},
  weights: SourceWeight[] = [],
) {
  return { path, operator, inputs: [input], outputs: [path], attributes, weights } satisfies SourceNode;
}

const dense = node('hidden', 'Dense', 'x', { activation: 'relu' }, [
  weight([2, 3], [1, -2, 3, 0.5, 0.25, -1]),
  weight([3], [0.5, 0, -0.5]),
]);

/** x [?, 2] -> the nodes, the last of which is the output. */
function graphOf(nodes: readonly SourceNode[], shape: readonly (number | null)[] | null = [null, 2]): SourceGraph {
  const last = nodes.at(-1)?.path ?? 'x';
  return {
    format: 'keras',
    producer: 'Keras 3.15.1',
    name: 'model',
    inputs: [{ value: 'x', name: 'x', type: 'float32', shape }],
    outputs: [{ value: last, name: last }],
    nodes,
  };
}

describe('what cannot be converted', () => {
  test('every unknown layer is named, with its path', async () => {
    const graph = graphOf([dense, node('a/code', 'Lambda', 'hidden'), node('a/own', 'MyLayer', 'a/code')]);
    await expect(convert(graph)).rejects.toMatchObject({
      code: 'CONVERT_UNSUPPORTED',
      values: { count: 2, layers: 'a/code (Lambda: Python code, which is not run), a/own (MyLayer)', first: 'a/code' },
    });
  });

  test('more than ten are counted', async () => {
    const nodes = Array.from({ length: 12 }, (_, i) => node(`l${i}`, 'Unknown', i === 0 ? 'x' : `l${i - 1}`));
    await expect(convert(graphOf(nodes))).rejects.toMatchObject({
      values: { count: 12, layers: expect.stringMatching(/l9 \(Unknown\) and 2 more$/) },
    });
  });

  test.each<[name: string, layer: SourceNode, reason: RegExp]>([
    ['an attribute of another type', node('p', 'Softmax', 'x', { axis: 'last' }), /axis is "last"/],
    ['weights that are missing', node('p', 'Dense', 'x'), /has 0 weights for it, and 1 are needed/],
    [
      'weights of another shape',
      node('p', 'Dense', 'x', {}, [weight([3, 1], [1, 2, 3])]),
      /shape \[3, 1\], where \[2, \?\] is needed/,
    ],
    ['an input of another rank', node('p', 'Conv1D', 'x', { kernel_size: [3] }), /with 2 dimensions instead of 3/],
    ['an activation that is not known', node('p', 'Activation', 'x', { activation: 'mine' }), /"mine" is not known/],
    ['channels first', node('p', 'Flatten', 'x', { data_format: 'channels_first' }, []), /only channels_last/],
  ])('%s', async (name, layer, reason) => {
    const shape = name === 'channels first' ? [null, 2, 2, 2] : [null, 2];
    await expect(convert(graphOf([layer], shape))).rejects.toMatchObject({
      code: 'CONVERT_LAYER',
      message: expect.stringMatching(reason),
      values: { layer: 'p' },
    });
  });

  test('a model without outputs', async () => {
    await expect(convert({ ...graphOf([dense]), outputs: [] })).rejects.toMatchObject({ code: 'SOURCE_INVALID' });
  });
});

describe('shapes of inputs', () => {
  test('an open batch is 1', async () => {
    const { model } = await convert(graphOf([dense]));
    expect(mainSubgraph(model).tensors[0]?.shape).toEqual(Int32Array.of(1, 2));
  });

  test('another open size must be given', async () => {
    const graph = graphOf([node('r', 'ReLU', 'x')], [null, null, 2]);
    await expect(convert(graph)).rejects.toMatchObject({
      code: 'CONVERT_INPUT_SHAPE',
      values: { input: 'x', shape: '[?, ?, 2]' },
    });
    const { model } = await convert(graph, { shapes: { x: [1, 5, 2] } });
    expect(mainSubgraph(model).tensors[0]?.shape).toEqual(Int32Array.of(1, 5, 2));
  });

  test('a shape for an input that does not exist', async () => {
    await expect(convert(graphOf([dense]), { shapes: { y: [1, 2] } })).rejects.toMatchObject({ code: 'INPUT_UNKNOWN' });
  });
});

describe('ending before a layer', () => {
  const graph = graphOf([dense, node('head/code', 'Lambda', 'hidden'), node('head/end', 'ReLU', 'head/code')]);

  test.each(['head/code', 'head'])('%s: what it reads is the output', async (layer) => {
    const { model } = await convert(graph, { stopBefore: layer });
    expect(model.signatureDefs[0]?.outputs.map(({ name }) => name)).toEqual(['hidden']);
  });

  test('a layer that does not exist names the nearest', async () => {
    await expect(convert(graph, { stopBefore: 'hiden' })).rejects.toMatchObject({
      code: 'CONVERT_NO_LAYER',
      message: expect.stringContaining('did you mean hidden?'),
    });
  });

  test('the first layer leaves nothing', async () => {
    await expect(convert(graph, { stopBefore: 'hidden' })).rejects.toMatchObject({
      code: 'CONVERT_LAYER',
      message: expect.stringContaining('no layer is left before it'),
    });
  });
});

describe('the check of the result', () => {
  const graph = graphOf([dense, node('norm', 'UnitNormalization', 'hidden'), node('end', 'Softmax', 'norm')]);

  test('compares every layer', async () => {
    const { checked } = await convert(graph);
    expect(checked).toMatchObject({ samples: 1, tensors: 3 });
    expect(checked.maxError).toBeLessThan(1e-6);
  });

  test('names the first layer that differs', async () => {
    const { model, tensorNames } = lower(graph, kerasOperator);
    const wrong = (one: SourceNode) => {
      const row = kerasOperator(one);
      return row === undefined || one.path !== 'norm'
        ? row
        : {
            ...row,
            evaluate: (...given: Parameters<typeof row.evaluate>) =>
              row
                .evaluate(...given)
                .map((x) => ({ ...x, data: Float32Array.from(x.data as Float32Array, (value) => value * 1.002) })),
          };
    };
    await expect(checkConversion(graph, model, tensorNames, wrong)).rejects.toMatchObject({
      code: 'CONVERT_DIFFERS',
      values: { layer: 'norm', operator: 'UnitNormalization', share: '0.0020' },
    });
  });
});

describe('a recurrent layer is unrolled', () => {
  const recurrent = (steps: number) =>
    graphOf(
      [node('rnn', 'SimpleRNN', 'x', { use_bias: false }, [weight([1, 1], [0.5]), weight([1, 1], [-0.25])])],
      [null, steps, 1],
    );

  test('up to 128 steps, or as many as are allowed', async () => {
    await expect(convert(recurrent(129))).rejects.toMatchObject({
      code: 'CONVERT_LAYER',
      message: expect.stringContaining('129 steps; up to 128 are unrolled'),
    });
    await expect(convert(recurrent(4), { maxUnrolled: 3 })).rejects.toThrow(/4 steps; up to 3/);
    expect((await convert(recurrent(128))).checked.maxError).toBeLessThan(1e-6);
    expect((await convert(recurrent(129), { maxUnrolled: 129 })).checked.maxError).toBeLessThan(1e-6);
  });
});

test('outputs that are the input, or the same value, are tensors of their own', async () => {
  const graph: SourceGraph = {
    ...graphOf([dense, node('same', 'Dropout', 'hidden')]),
    outputs: [
      { value: 'x', name: 'given' },
      { value: 'hidden', name: 'first' },
      { value: 'same', name: 'second' },
    ],
  };
  const { model } = await convert(graph);
  const { inputs, outputs } = mainSubgraph(model);
  expect(new Set([...(inputs ?? []), ...(outputs ?? [])]).size).toBe(4);
});
