import { describe, expect, test } from 'vitest';
import type { Dataset } from '../../../src/data/index.js';
import {
  integerLimits,
  matchInputs,
  matchOutput,
  requireNumbers,
  toModelInput,
  toRealValues,
} from '../../../src/evaluate/convert.js';
import type { TensorInfo } from '../../../src/simulator/index.js';

const info = (changes: Partial<TensorInfo>): TensorInfo =>
  ({ name: 'x', type: 'float32', shape: [2], bytes: 8, quantization: null, ...changes }) as unknown as TensorInfo;
const dataset = (inputs: readonly { readonly name?: string; readonly shape?: readonly number[] }[]): Dataset =>
  ({
    name: 'd',
    path: 'd.yaml',
    windows: null,
    inputs: inputs.map(({ name = null, shape = null }) => ({ name, shape, integers: false })),
  }) as unknown as Dataset;

describe('real values become integers and back', () => {
  const widths = { int8: 1, uint8: 1, bool: 1, int16: 2, int32: 4, int64: 8 } as const;

  test.each([
    ['int8', [-1000, -1.5, 0.26, 1000], [-128, -2, 2, 127], 2],
    ['uint8', [-1000, 0.26, 1000, 63], [0, 2, 255, 127], 2],
    ['int16', [-1e6, -0.75, 0.25, 1e6], [-32768, -1, 2, 32767], 2],
    ['int32', [-1, 0, 0.25, 1], [-1, 1, 2, 3], 0],
    ['int64', [-1, 0, 0.25, 1], [-1, 1, 2, 3], 0],
  ] as const)('%s: round half away from 0, clamped', (type, values, integers, saturated) => {
    const tensor = info({
      type,
      shape: [4],
      bytes: 4 * widths[type],
      quantization: { scale: 0.5, zeroPoint: 1 } as TensorInfo['quantization'],
    });
    const converted = toModelInput([Float32Array.from(values)], [tensor], [0], 'd');
    expect(converted.saturated).toBe(saturated);
    expect(converted.bytes).toHaveLength(4 * widths[type]);
    const real = toRealValues(converted.bytes, tensor);
    expect(Array.from(real)).toEqual(integers.map((q) => (q - 1) * 0.5));
  });

  test('without quantization they are the integers themselves', () => {
    const tensor = info({ type: 'bool', shape: [2], bytes: 2 });
    const { bytes } = toModelInput([Float32Array.of(1, 0)], [tensor], [0], 'd');
    expect([...bytes]).toEqual([1, 0]);
    expect([...toRealValues(bytes, tensor)]).toEqual([1, 0]);
  });

  test('floats are kept, inputs follow one another in the order of the model', () => {
    const inputs = [info({ name: 'a' }), info({ name: 'b', type: 'int8', bytes: 2 })];
    const { bytes, saturated } = toModelInput([Float32Array.of(3, -4), Float32Array.of(0.5, -7)], inputs, [1, 0], 'd');
    expect(saturated).toBe(0);
    expect([...toRealValues(bytes.subarray(0, 8), inputs[0] as TensorInfo)]).toEqual([0.5, -7]);
    expect([...bytes.subarray(8)]).toEqual([3, 252]);
    expect(() => toModelInput([Float32Array.of(1)], [info({})], [0], 'd')).toThrow(
      'a sample has 1 values, input x of the model has 2',
    );
  });

  test('types have limits', () => {
    expect(['int8', 'uint8', 'int16', 'int32'].map(integerLimits)).toEqual([
      [-128, 127],
      [0, 255],
      [-32768, 32767],
      [-2147483648, 2147483647],
    ]);
  });
});

describe('inputs are matched', () => {
  const inputs = [
    info({ name: 'main:0', alias: 'image', shape: [1, 4, 6, 3] }),
    info({ name: 'other', shape: [1, 5] }),
  ];

  test('by position, or by either of their names', () => {
    expect(matchInputs(dataset([{}, {}]), inputs)).toEqual([0, 1]);
    expect(matchInputs(dataset([{ name: 'other' }, { name: 'image' }]), inputs)).toEqual([1, 0]);
    expect(matchInputs(dataset([{ name: 'main:0' }, { name: 'other' }]), inputs)).toEqual([0, 1]);
  });

  test('unless there are more or fewer, or one has another name', () => {
    expect(() => matchInputs(dataset([{}]), inputs)).toThrow('it has 1 input(s), the model 2');
    expect(() => matchInputs(dataset([{ name: 'sound' }, {}]), inputs)).toThrow(
      'its input sound is not an input of the model (image, which is main:0, other)',
    );
  });

  test('with their shapes, up to dimensions of 1; the likely cause of another shape is named', () => {
    const match = (shape: readonly number[]) => () => matchInputs(dataset([{ shape }, {}]), inputs);
    expect(match([4, 6, 3])()).toEqual([0, 1]);
    expect(match([3, 4, 6])).toThrow('`layout: nchw` in the dataset file transposes it');
    expect(match([72])).toThrow('declare it with shape: [4, 6, 3]');
    expect(match([6, 4, 3])).toThrow('the same number of values, but in other places');
    const other = match([4, 6, 4]);
    expect(other).toThrow('a sample has shape [4, 6, 4], input main:0 of the model [1, 4, 6, 3]');
    expect(other).not.toThrow('same number');
    const windowed = { ...dataset([{ shape: [999] }, {}]), windows: { length: 5 } } as unknown as Dataset;
    expect(matchInputs(windowed, inputs)).toEqual([0, 1]);
  });

  test('outputs too: the named one, or the first', () => {
    const outputs = [info({ name: 'a' }), info({ name: 'b', alias: 'scores' })];
    const at = (output: string | null) => matchOutput({ name: 'd', output }, outputs);
    expect([at(null), at('a'), at('b'), at('scores')]).toEqual([0, 0, 1, 1]);
    expect(() => at('c')).toThrow('its output c is not an output of the model (a; scores, which is b)');
  });
});

test('samples hold numbers', () => {
  expect(requireNumbers([Float32Array.of(-1, 3)], 4, dataset([{}]))).toMatchObject([{ min: -1, max: 3 }]);
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => requireNumbers([Float32Array.of(1, value)], 4, dataset([{}]))).toThrow(
      `sample 4 contains the value ${value}`,
    );
});
