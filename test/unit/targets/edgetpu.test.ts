// Placement on the Edge TPU: the limits of operators one by one, and how what depends on the CPU stays there. What the
// compiler really did with whole models is in test/integration/edgetpu-pairs.test.ts.

import { describe, expect, test } from 'vitest';
import { type BuiltinOptions, type Model, type OperatorName, TensorType } from '../../../src/formats/tflite/index.js';
import { placeOnEdgeTpu } from '../../../src/targets/edgetpu/placement.js';
import { checkModel, loadTarget } from '../../../src/targets/index.js';
import { convOptions, denseOptions, modelOf, type TensorSpec } from '../../support/models.js';

const coral = await loadTarget('coral-usb');
const int8 = (...shape: number[]): TensorSpec => ({ shape, type: TensorType.INT8, scale: 0.1 });
const constant = (...shape: number[]): TensorSpec => ({
  ...int8(...shape),
  data: new Int8Array(shape.reduce((a, b) => a * b, 1)).fill(1),
});
const integers = (...values: number[]): TensorSpec => ({ shape: [values.length], data: Int32Array.from(values) });

/** The only operator of a model; inputs without data are the model's. */
function placed(
  op: OperatorName,
  inputs: readonly TensorSpec[],
  outputs: readonly TensorSpec[],
  options?: BuiltinOptions,
) {
  const free = inputs.flatMap(({ data }, i) => (data === undefined ? [i] : []));
  const results = outputs.map((_, i) => inputs.length + i);
  const model = modelOf(
    [...inputs, ...outputs],
    [{ op, inputs: inputs.map((_, i) => i), outputs: results, ...(options === undefined ? {} : { options }) }],
    free,
    results,
  );
  return placeOnEdgeTpu(model, coral.operators).operators[0];
}

const limitation = 'Operation is otherwise supported, but not mapped due to some unspecified limitation';
const mapped = 'Mapped to Edge TPU';
const dilated = (vertical: number, horizontal: number): BuiltinOptions => ({
  ...(convOptions() as Extract<BuiltinOptions, { kind: 'Conv2DOptions' }>),
  dilationHFactor: vertical,
  dilationWFactor: horizontal,
});
const pool = (fusedActivationFunction: number): BuiltinOptions => ({
  kind: 'Pool2DOptions',
  padding: 0,
  strideW: 2,
  strideH: 2,
  filterWidth: 2,
  filterHeight: 2,
  fusedActivationFunction,
});
const strided = (ellipsisMask: number, newAxisMask: number): BuiltinOptions => ({
  kind: 'StridedSliceOptions',
  beginMask: 0,
  endMask: 0,
  ellipsisMask,
  newAxisMask,
  shrinkAxisMask: 0,
  offset: false,
});

describe('limits of operators', () => {
  test.each<[string, ReturnType<typeof placed>, string]>([
    ['a pool', placed('AVERAGE_POOL_2D', [int8(1, 4, 4, 8)], [int8(1, 2, 2, 8)], pool(0)), mapped],
    ['a pool with an activation', placed('MAX_POOL_2D', [int8(1, 4, 4, 8)], [int8(1, 2, 2, 8)], pool(1)), limitation],
    [
      'a convolution dilated alike',
      placed('CONV_2D', [int8(1, 8, 8, 4), constant(8, 3, 3, 4)], [int8(1, 4, 4, 8)], dilated(2, 2)),
      mapped,
    ],
    [
      'a convolution dilated otherwise',
      placed('CONV_2D', [int8(1, 8, 8, 4), constant(8, 3, 3, 4)], [int8(1, 4, 4, 8)], dilated(2, 1)),
      limitation,
    ],
    [
      'a 3x1 convolution dilated along its length',
      placed('CONV_2D', [int8(1, 8, 1, 4), constant(8, 3, 1, 4)], [int8(1, 4, 1, 8)], dilated(2, 1)),
      mapped,
    ],
    [
      'computed weights',
      placed('CONV_2D', [int8(1, 8, 8, 4), int8(1, 3, 3, 4)], [int8(1, 6, 6, 1)], convOptions()),
      limitation,
    ],
    [
      'one row of a dense layer',
      placed('FULLY_CONNECTED', [int8(1, 4), constant(8, 4)], [int8(1, 8)], denseOptions()),
      mapped,
    ],
    ['several rows', placed('FULLY_CONNECTED', [int8(3, 4), constant(8, 4)], [int8(3, 8)], denseOptions()), limitation],
    ['a mean over pixels', placed('MEAN', [int8(1, 4, 4, 6), integers(1, 2)], [int8(1, 6)]), mapped],
    ['a mean over 6 channels', placed('MEAN', [int8(1, 4, 4, 6), integers(3)], [int8(1, 4, 4)]), limitation],
    ['a mean over 8 channels', placed('MEAN', [int8(1, 4, 4, 8), integers(-1)], [int8(1, 4, 4)]), mapped],
    ['a mean over the batch', placed('MEAN', [int8(1, 4, 4, 8), integers(0, 1)], [int8(4, 8)]), limitation],
    ['a maximum over pixels', placed('REDUCE_MAX', [int8(1, 4, 4, 8), integers(1, 2)], [int8(1, 8)]), mapped],
    ['a sum over the batch', placed('SUM', [int8(1, 4, 4, 8), integers(0)], [int8(4, 4, 8)]), limitation],
    ['padded pixels', placed('PAD', [int8(1, 4, 4, 8), integers(0, 0, 1, 1, 1, 1, 0, 0)], [int8(1, 6, 6, 8)]), mapped],
    [
      'a padded batch',
      placed('PAD', [int8(1, 4, 4, 8), integers(0, 1, 0, 0, 0, 0, 0, 0)], [int8(2, 4, 4, 8)]),
      'Tensor has unsupported rank (up to 3 innermost dimensions mapped)',
    ],
    ['a slope for each channel', placed('PRELU', [int8(1, 4, 4, 8), constant(1, 1, 8)], [int8(1, 4, 4, 8)]), mapped],
    ['a slope for each pixel', placed('PRELU', [int8(1, 4, 4, 8), constant(4, 4, 8)], [int8(1, 4, 4, 8)]), limitation],
    ['16,384 probabilities', placed('SOFTMAX', [int8(1, 16384)], [int8(1, 16384)]), mapped],
    ['20,000 probabilities', placed('SOFTMAX', [int8(1, 20000)], [int8(1, 20000)]), limitation],
    ['rows of probabilities', placed('SOFTMAX', [int8(4, 10)], [int8(4, 10)]), limitation],
    [
      'a split of channels',
      placed('SPLIT', [integers(3), int8(1, 4, 4, 8)], [int8(1, 4, 4, 4), int8(1, 4, 4, 4)], {
        kind: 'SplitOptions',
        numSplits: 2,
      }),
      mapped,
    ],
    [
      'a split into one',
      placed('SPLIT', [integers(0), int8(1, 4, 4, 8)], [int8(1, 4, 4, 8)], { kind: 'SplitOptions', numSplits: 1 }),
      mapped,
    ],
    [
      'a split of the batch',
      placed('SPLIT', [integers(0), int8(1, 2, 4, 8)], [int8(1, 2, 4, 8), int8(1, 2, 4, 8)], {
        kind: 'SplitOptions',
        numSplits: 2,
      }),
      limitation,
    ],
    [
      'a slice with strides of 1',
      placed(
        'STRIDED_SLICE',
        [int8(1, 4, 4, 8), integers(0, 0, 0, 0), integers(1, 2, 2, 8), integers(1, 1, 1, 1)],
        [int8(1, 2, 2, 8)],
        strided(0, 0),
      ),
      mapped,
    ],
    [
      'a slice of every second',
      placed(
        'STRIDED_SLICE',
        [int8(1, 4, 4, 8), integers(0, 0, 0, 0), integers(1, 4, 4, 8), integers(1, 2, 2, 1)],
        [int8(1, 2, 2, 8)],
        strided(0, 0),
      ),
      limitation,
    ],
    [
      'a slice with an ellipsis',
      placed(
        'STRIDED_SLICE',
        [int8(1, 4, 4, 8), integers(0, 0), integers(1, 2), integers(1, 1)],
        [int8(1, 4, 4, 2)],
        strided(1, 0),
      ),
      limitation,
    ],
    [
      'values in a row',
      placed('PACK', [int8(4, 4), int8(4, 4)], [int8(4, 4, 2)], { kind: 'PackOptions', valuesCount: 2, axis: 2 }),
      mapped,
    ],
    [
      'values as a batch',
      placed('PACK', [int8(4, 4), int8(4, 4)], [int8(2, 4, 4)], { kind: 'PackOptions', valuesCount: 2, axis: 0 }),
      limitation,
    ],
    [
      'padding by concatenation',
      placed('CONCATENATION', [int8(1, 2), { ...int8(1, 2), data: new Int8Array(2) }], [int8(1, 4)]),
      mapped,
    ],
    ['a constant behind', placed('CONCATENATION', [int8(1, 2), constant(1, 2)], [int8(1, 4)]), limitation],
    ['what is in no table', placed('LEAKY_RELU', [int8(1, 2)], [int8(1, 2)]), 'Operation not supported'],
    [
      'float outputs',
      placed('DEQUANTIZE', [int8(1, 2)], [{ shape: [1, 2] }]),
      'Operation is working on an unsupported data type',
    ],
    ['float inputs', placed('QUANTIZE', [{ shape: [1, 2] }], [int8(1, 2)]), limitation],
    [
      'a batch of two',
      placed('RELU', [int8(2, 4, 4, 8)], [int8(2, 4, 4, 8)]),
      'Tensor has unsupported rank (up to 3 innermost dimensions mapped)',
    ],
    ['five dimensions', placed('RELU', [int8(1, 1, 4, 4, 8)], [int8(1, 1, 4, 4, 8)]), mapped],
  ])('%s', (_, placement, expected) => {
    expect(placement?.status).toBe(expected);
    expect(placement?.mapped).toBe(expected === mapped);
  });

  test('rules that no compiled model shows are marked, with their documentation', () => {
    expect(
      placed('TRANSPOSE_CONV', [integers(1, 4, 4, 8), constant(8, 2, 2, 8), int8(1, 2, 2, 8)], [int8(1, 4, 4, 8)]),
    ).toMatchObject({
      mapped: true,
      unconfirmed: true,
      source: expect.stringContaining('issues/684'),
    });
    expect(placed('ADD', [int8(1, 2), int8(1, 2)], [int8(1, 2)])).toMatchObject({ unconfirmed: false });
  });

  const resized = (from: number, to: number, alignCorners: boolean) =>
    placed('RESIZE_BILINEAR', [int8(1, from, from, 8), integers(to, to)], [int8(1, to, to, 8)], {
      kind: 'ResizeBilinearOptions',
      deprecatedNewHeight: 0,
      deprecatedNewWidth: 0,
      alignCorners,
      halfPixelCenters: !alignCorners,
    });
  test.each([
    [6, 12, false, true, false],
    [12, 24, false, true, false],
    [24, 48, false, true, false],
    [33, 33, true, true, false],
    [1, 33, true, false, false],
    [33, 513, true, false, false],
    [8, 64, false, true, true],
  ])('RESIZE_BILINEAR from %d to %d (align_corners %s)', (from, to, aligned, isMapped, unconfirmed) => {
    expect(resized(from, to, aligned)).toMatchObject({ mapped: isMapped, unconfirmed });
  });
});

describe('dependency', () => {
  /**
   * Operators on tensors of [1, 4]: each names what it reads, from 0 (the input) on; its own tensor is its number plus
   * 1.
   */
  const graph = (...operators: [OperatorName, ...number[]][]): Model =>
    modelOf(
      [int8(1, 4), ...operators.map(() => int8(1, 4))],
      operators.map(([op, ...inputs], o) => ({ op, inputs, outputs: [o + 1] })),
      [0],
      [operators.length],
    );
  const places = (model: Model, multiple = false) => {
    const { operators, subgraphs } = placeOnEdgeTpu(model, coral.operators, multiple);
    return [operators.map((operator) => (operator.mapped ? 'T' : 'c')).join(''), subgraphs];
  };

  test('operators that depend on the CPU stay there, others are mapped, in any order', () => {
    const model = graph(['RELU', 0], ['LEAKY_RELU', 1], ['RELU', 1], ['RELU', 2], ['ADD', 3, 4]);
    expect(places(model)).toEqual(['TcTcc', 1]);
    expect(placeOnEdgeTpu(model, coral.operators).operators.map(({ status }) => status)).toEqual([
      mapped,
      'Operation not supported',
      mapped,
      'More than one subgraph is not supported',
      'More than one subgraph is not supported',
    ]);
    expect(places(model, true)).toEqual(['TcTTT', 2]);
  });

  test('islands are counted', () => {
    expect(places(graph(['RELU', 0], ['LEAKY_RELU', 1], ['RELU', 2], ['LEAKY_RELU', 3], ['RELU', 4]), true)).toEqual([
      'TcTcT',
      3,
    ]);
    expect(places(graph(['LEAKY_RELU', 0], ['RELU', 1]))).toEqual(['cc', 0]);
    expect(places(graph(['LEAKY_RELU', 0], ['RELU', 1]), true)).toEqual(['cT', 1]);
  });

  test('conversions in front do not count', () => {
    const model = modelOf(
      [{ shape: [1, 4] }, int8(1, 4), int8(1, 4), { shape: [1, 4] }],
      [
        { op: 'QUANTIZE', inputs: [0], outputs: [1] },
        { op: 'RELU', inputs: [1], outputs: [2] },
        { op: 'DEQUANTIZE', inputs: [2], outputs: [3] },
      ],
      [0],
      [3],
    );
    expect(places(model)).toEqual(['cTc', 1]);
  });

  test('check reports the same, with the parts', () => {
    const model = graph(['RELU', 0], ['LEAKY_RELU', 1], ['RELU', 2]);
    expect(checkModel(model, coral, 100)).toMatchObject({
      npuSubgraphs: 1,
      operators: [{ placed: 'npu', reason: null }, { placed: 'cpu' }, { placed: 'cpu' }],
    });
    expect(checkModel(model, coral, 100, { multipleSubgraphs: true })).toMatchObject({ npuSubgraphs: 2 });
  });
});
