import { describe, expect, test } from 'vitest';
import {
  type BuiltinOptions,
  compact,
  type Model,
  mainSubgraph,
  operatorCodeIndex,
  operatorName,
  Padding,
  TensorType,
} from '../../../../src/formats/tflite/index.js';
import { fusePadding } from '../../../../src/optimize/passes/fuse-padding.js';
import { convOptions, modelOf } from '../../../support/models.js';
import { signalToNoise } from '../../../support/quantizing.js';

interface Case {
  readonly size?: number;
  readonly pads?: readonly number[];
  readonly kernel?: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly padding?: number;
  readonly depthwise?: boolean;
}

/** PAD -> CONV_2D on an image of 2 channels; the result is the output, and the padded image too on request. */
function padded(
  {
    size = 6,
    pads = [0, 0, 0, 1, 0, 1, 0, 0],
    kernel = 3,
    stride = 2,
    dilation = 1,
    padding = Padding.VALID,
    depthwise = false,
  }: Case,
  returned = false,
): Model {
  const full = [pads[2], pads[3]].reduce((sum: number, pad) => sum + (pad ?? 0), size);
  const output = Math.floor((full - ((kernel - 1) * dilation + 1)) / stride) + 1;
  const common = { padding, strideH: stride, strideW: stride, dilationHFactor: dilation, dilationWFactor: dilation };
  const options: BuiltinOptions = depthwise
    ? { kind: 'DepthwiseConv2DOptions', ...common, depthMultiplier: 1, fusedActivationFunction: 0 }
    : { ...(convOptions() as Extract<BuiltinOptions, { kind: 'Conv2DOptions' }>), ...common };
  const values = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1));
  return modelOf(
    [
      { name: 'x', shape: [1, size, size, 2] },
      { shape: [4, 2], data: Int32Array.from(pads) },
      { shape: [1, full, full, 2] },
      {
        shape: depthwise ? [1, kernel, kernel, 2] : [2, kernel, kernel, 2],
        data: values((depthwise ? 2 : 4) * kernel ** 2),
      },
      { shape: [2], data: Float32Array.of(0.5, -0.5) },
      { name: 'y', shape: [1, output, output, 2] },
    ],
    [
      { op: 'PAD', inputs: [0, 1], outputs: [2] },
      { op: depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D', inputs: [2, 3, 4], outputs: [5], options },
    ],
    [0],
    returned ? [5, 2] : [5],
  );
}

function namesAfter(model: Model): string[] {
  const { model: changed } = fusePadding.run(model);
  compact(changed);
  return mainSubgraph(changed).operators.map((operator) => operatorName(changed, operator));
}

describe('a convolution pads by itself', () => {
  test.each<[name: string, given: Case]>([
    ['below and on the right, with a stride of 2 on an even size', {}],
    ['all around, with a stride of 1', { stride: 1, pads: [0, 0, 1, 1, 1, 1, 0, 0] }],
    ['with dilation', { stride: 1, dilation: 2, pads: [0, 0, 2, 2, 2, 2, 0, 0] }],
    ['an uneven number of zeros', { stride: 1, kernel: 4, pads: [0, 0, 1, 2, 1, 2, 0, 0] }],
    ['each channel by itself', { depthwise: true }],
  ])('%s', (_, given) => {
    const model = padded(given);
    const { model: changed, changes } = fusePadding.run(model);
    expect(changes).toBe(1);
    const image = Float32Array.from({ length: 72 }, (_, i) => Math.cos(i));
    expect(signalToNoise(model, changed, [[image]])).toBe(Number.POSITIVE_INFINITY);
    expect(namesAfter(model)).toEqual([given.depthwise === true ? 'DEPTHWISE_CONV_2D' : 'CONV_2D']);
  });
});

describe('the padding stays', () => {
  test.each<[name: string, given: Case]>([
    ['where SAME pads on the other side', { pads: [0, 0, 1, 0, 1, 0, 0, 0] }],
    ['where SAME pads less', { pads: [0, 0, 1, 1, 1, 1, 0, 0] }],
    ['where only one axis fits', { pads: [0, 0, 0, 1, 1, 0, 0, 0] }],
    ['around channels', { pads: [0, 0, 0, 1, 0, 1, 0, 1], padding: Padding.VALID }],
    ['before a convolution that pads too', { padding: Padding.SAME }],
  ])('%s', (_, given) => {
    expect(fusePadding.run(padded(given)).changes).toBe(0);
  });
});

test('a padded image that is an output stays, and the convolution no longer reads it', () => {
  const model = padded({}, true);
  const { model: changed } = fusePadding.run(model);
  expect(mainSubgraph(changed).operators[1]?.inputs?.[0]).toBe(0);
  expect(namesAfter(model)).toEqual(['PAD', 'CONV_2D']);
  expect(mainSubgraph(model).operators[1]?.inputs?.[0]).toBe(2);
});

describe('what is not a padded convolution', () => {
  const changed = (edit: (model: Model) => void): number => {
    const model = padded({});
    edit(model);
    return fusePadding.run(model).changes;
  };
  const tensor = (model: Model, index: number) => {
    const found = mainSubgraph(model).tensors[index];
    if (found === undefined) throw new Error('no tensor');
    return found;
  };

  test('the same edit of a padded one changes it', () => {
    expect(changed(() => undefined)).toBe(1);
  });

  test('is the same model afterwards', () => {
    const model = padded({ padding: Padding.SAME });
    expect(fusePadding.run(model).model).toBe(model);
  });

  test('an image that nothing computes', () => {
    const alone = padded({});
    const subgraph = mainSubgraph(alone);
    subgraph.operators = subgraph.operators.slice(1);
    subgraph.inputs = Int32Array.of(2);
    expect(fusePadding.run(alone)).toEqual({ model: alone, changes: 0 });
  });

  test('another padding than by zeros', () => {
    expect(
      changed((model) => {
        const [pad] = mainSubgraph(model).operators;
        if (pad !== undefined) pad.opcodeIndex = operatorCodeIndex(model, 'MIRROR_PAD', 1);
      }),
    ).toBe(0);
  });

  test('a padding that is computed, or not of 32-bit integers', () => {
    expect(changed((model) => void Object.assign(tensor(model, 1), { buffer: 0 }))).toBe(0);
    expect(changed((model) => void Object.assign(tensor(model, 1), { type: TensorType.FLOAT32 }))).toBe(0);
    expect(changed((model) => void Object.assign(tensor(model, 1), { buffer: tensor(model, 4).buffer }))).toBe(0);
  });

  test('an image or weights of another rank, or of unknown size', () => {
    expect(changed((model) => void Object.assign(tensor(model, 0), { shape: Int32Array.of(6, 6, 2) }))).toBe(0);
    expect(changed((model) => void Object.assign(tensor(model, 0), { shape: Int32Array.of(1, -1, -1, 2) }))).toBe(0);
    expect(changed((model) => void Object.assign(tensor(model, 3), { shape: Int32Array.of(3, 3, 2) }))).toBe(0);
  });

  test('a pool, which pads by something else', () => {
    expect(
      changed((model) => {
        const pool = mainSubgraph(model).operators[1];
        if (pool !== undefined) pool.opcodeIndex = operatorCodeIndex(model, 'MAX_POOL_2D', 1);
      }),
    ).toBe(0);
  });

  test('a convolution with the options of another operator', () => {
    expect(
      changed((model) => {
        const convolution = mainSubgraph(model).operators[1];
        if (convolution !== undefined) convolution.builtinOptions = null;
      }),
    ).toBe(0);
  });
});
