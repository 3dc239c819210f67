import { describe, expect, test } from 'vitest';
import type { Attribute, SourceWeight } from '../../../../src/formats/source/graph.js';
import { decodeSource } from '../../../../src/formats/source/index.js';
import { parseModel } from '../../../../src/formats/source/keras/model-config.js';
import { graphOf } from '../../../../src/formats/source/keras/topology.js';
import { listScope, snakeCase, type WeightScope } from '../../../../src/formats/source/keras/weights.js';

const none: WeightScope = { ofLayer: () => [], ofModel: () => none };

function input(name: string): Attribute {
  return { class_name: 'InputLayer', name, config: { name, batch_shape: [null, 4] }, inbound_nodes: [] };
}

/** A layer in the form of Keras 2. */
function layer(name: string, className: string, inbound: Attribute, config: Attribute = {}): Attribute {
  return { class_name: className, name, config, inbound_nodes: inbound };
}

function graph(layers: readonly Attribute[], inputs: Attribute, outputs: Attribute) {
  const config = { name: 'model', layers, input_layers: inputs, output_layers: outputs };
  const model = parseModel('Functional', config, 'test.h5');
  if (model === null) throw new Error('not a model');
  return graphOf(model, none, { format: 'keras', producer: null });
}

describe('a functional model', () => {
  test('is in execution order, whatever the order of the file', () => {
    const { nodes } = graph(
      [
        layer('c', 'ReLU', [[['b', 0, 0, {}]]]),
        layer('b', 'ReLU', [[['a', 0, 0, {}]]]),
        input('x'),
        layer('a', 'ReLU', [[['x', 0, 0, {}]]]),
      ],
      [['x', 0, 0]],
      [['c', 0, 0]],
    );
    expect(nodes.map(({ path }) => path)).toEqual(['a', 'b', 'c']);
  });

  test('calls a shared layer once for each call, with values of their own', () => {
    const { nodes, outputs } = graph(
      [input('x'), layer('r', 'ReLU', [[['x', 0, 0, {}]], [['r', 0, 0, {}]]])],
      [['x', 0, 0]],
      [
        ['r', 1, 0],
        ['r', 0, 0],
      ],
    );
    expect(nodes.map((node) => [node.path, node.inputs, node.outputs])).toEqual([
      ['r', ['x'], ['r']],
      ['r', ['r'], ['r#1']],
    ]);
    expect(outputs).toEqual([
      { value: 'r#1', name: 'r' },
      { value: 'r', name: 'r_1' },
    ]);
  });

  test('has the arguments of functions, numbers and tensors, by position and by name', () => {
    const { nodes } = graph(
      [
        input('x'),
        layer('f', 'TFOpLambda', [['_CONSTANT_VALUE', -1, 1, { y: ['x', 0, 0] }]], { function: 'math.subtract' }),
      ],
      [['x', 0, 0]],
      [['f', 0, 0]],
    );
    expect(nodes[0]).toMatchObject({
      operator: 'tf.math.subtract',
      inputs: ['x'],
      attributes: { call: { args: [1], kwargs: { y: { tensor: 0 } } } },
    });
  });

  test('counts the calls of a model within it from where the file lists them', () => {
    const inner = {
      name: 'inner',
      layers: [input('i'), layer('r', 'ReLU', [[['i', 0, 0, {}]]])],
      input_layers: [['i', 0, 0]],
      output_layers: [['r', 0, 0]],
    };
    const { nodes } = graph(
      [
        input('x'),
        layer('inner', 'Functional', [[['x', 0, 0, {}]]], inner),
        layer('end', 'ReLU', [[['inner', 1, 0, {}]]]),
      ],
      [['x', 0, 0]],
      [['end', 0, 0]],
    );
    expect(nodes.map((node) => [node.path, node.inputs])).toEqual([
      ['inner/r', ['x']],
      ['end', ['inner/r']],
    ]);
  });

  test.each<[name: string, layers: readonly Attribute[], message: RegExp]>([
    ['depends on itself', [layer('a', 'ReLU', [[['b', 0, 0]]]), layer('b', 'ReLU', [[['a', 0, 0]]])], /its own result/],
    ['names a layer that is not there', [layer('b', 'ReLU', [[['gone', 0, 0]]])], /"gone" is used but not defined/],
    ['reads a result that is not computed', [layer('b', 'ReLU', [[['x', 0, 3]]])], /no result 3 of call 0/],
    ['has a call that is no list', [layer('b', 'ReLU', [7])], /a list is expected, not 7/],
    [
      'has a layer without a class',
      [{ name: 'b', config: {} }],
      /a text is expected, not nothing, in test.h5: layer 1: class_name/,
    ],
  ])('that %s is refused', (_, layers, message) => {
    expect(() => graph([input('x'), ...layers], [['x', 0, 0]], [['b', 0, 0]])).toThrow(message);
  });
});

describe('a sequential model', () => {
  test('of old files is a bare list, whose first layer has the shape', () => {
    const model = parseModel(
      'Sequential',
      [layer('d', 'Dense', null, { name: 'd', batch_input_shape: [null, 3] })],
      'm',
    );
    if (model === null) throw new Error('not a model');
    const { inputs, nodes } = graphOf(model, none, { format: 'keras', producer: null });
    expect(inputs).toEqual([{ value: 'd_input', name: 'd_input', type: 'float32', shape: [null, 3] }]);
    expect(nodes.map(({ path }) => path)).toEqual(['d']);
  });
});

describe('weights', () => {
  const weight = (name: string): { name: string; weight: SourceWeight } => ({
    name,
    weight: { name, shape: [], type: 'float32', values: () => new Float32Array() },
  });
  const layers = ['conv', 'norm'].map((name) => ({ className: 'x', name, config: {} }));

  test('of a model within a model are split by the names of its layers', () => {
    const list = ['conv/kernel:0', 'norm/gamma:0', 'conv/bias:0', 'norm/mean:0'].map(weight);
    const scope = listScope(list, layers);
    expect(layers.map((one) => scope.ofLayer(one).map(({ name }) => name))).toEqual([
      ['conv/kernel:0', 'conv/bias:0'],
      ['norm/gamma:0', 'norm/mean:0'],
    ]);
  });

  test.each([
    ['Conv2D', 'conv2d'],
    ['ReLU', 're_lu'],
    ['LSTM', 'lstm'],
    ['BatchNormalization', 'batch_normalization'],
    ['Conv2DTranspose', 'conv2d_transpose'],
    ['PReLU', 'p_re_lu'],
  ])('of class %s are in a group %s', (className, name) => {
    expect(snakeCase(className)).toBe(name);
  });
});

describe('files of other formats', () => {
  const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from({ length: 64 }, (_, i) => values[i] ?? 0);
  const text = (value: string): Uint8Array => new TextEncoder().encode(value.padEnd(64));

  test.each<[kind: string, content: Uint8Array]>([
    ['pickle', bytes(0x80, 2)],
    ['gguf', text('GGUF')],
    ['safetensors', bytes(9, 1, 0, 0, 0, 0, 0, 0, 0x7b, 0x22)],
    ['pytorch', text('PK\x03\x04 archive/data.pkl')],
    ['pytorch-exported', text('PK\x03\x04 archive_format')],
    ['coreml', text('PK\x03\x04 com.apple.CoreML')],
    ['tfjs-graph', text('{"format": "graph-model"}')],
    ['json', text('{"name": "package"}')],
  ])('%s is recognized, and refused', async (kind, content) => {
    await expect(decodeSource(content, 'm')).rejects.toMatchObject({ code: 'SOURCE_UNSUPPORTED', values: { kind } });
  });

  test('a .tflite file is not a source model', async () => {
    await expect(decodeSource(text('\x1c\0\0\0TFL3'), 'm')).resolves.toBeNull();
  });

  test('a class of the user’s own holds no structure', () => {
    expect(parseModel('MyModel', {}, 'm')).toBeNull();
  });
});
