import { describe, expect, test } from 'vitest';
import { agreementOf, compareOutputs, differencesOf } from '../../../../src/devices/bundle/index.js';
import type { TensorInfo } from '../../../../src/simulator/index.js';

const output = (type: TensorInfo['type'], bytes: number): TensorInfo =>
  ({ name: '', type, shape: [], bytes, quantization: null }) as unknown as TensorInfo;
const bytesOf = (values: Int8Array | Uint8Array | Int16Array | Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(values.buffer);

describe('the difference of an element is counted in its own steps', () => {
  test.each<[TensorInfo['type'], Uint8Array, Uint8Array, readonly number[]]>([
    ['int8', bytesOf(Int8Array.of(-128, 5)), bytesOf(Int8Array.of(127, 3)), [255, 2]],
    ['uint8', bytesOf(Uint8Array.of(0, 200)), bytesOf(Uint8Array.of(255, 201)), [255, 1]],
    ['bool', bytesOf(Uint8Array.of(0, 1)), bytesOf(Uint8Array.of(1, 1)), [1, 0]],
    ['int16', bytesOf(Int16Array.of(-300, 256)), bytesOf(Int16Array.of(300, 255)), [600, 1]],
    ['float32', bytesOf(Float32Array.of(1, 2)), bytesOf(Float32Array.of(1, 2.0000002)), [0, 1]],
    ['int32', bytesOf(Int32Array.of(7, -1)), bytesOf(Int32Array.of(9, -1)), [1, 0]],
  ])('%s', (type, a, b, expected) => {
    expect([...differencesOf(a, b, [output(type, a.byteLength)])]).toEqual(expected);
    expect([...differencesOf(b, a, [output(type, a.byteLength)])]).toEqual(expected);
  });

  test('tensor after tensor, sample after sample', () => {
    const outputs = [output('int8', 2), output('int16', 2)];
    const [a, b] = [Uint8Array.of(1, 2, 0, 1, 3, 4, 0, 0), Uint8Array.of(1, 0, 0, 0, 0, 4, 5, 0)];
    expect([...differencesOf(a, b, outputs)]).toEqual([0, 2, 256, 3, 0, 5]);
  });
});

describe('agreement', () => {
  const outputs = [output('int8', 4)];
  const expected = Uint8Array.of(0, 0, 0, 0);

  test('is exact, or within a number of steps for a share of the elements', () => {
    const actual = Uint8Array.of(0, 1, 0, 2);
    expect(compareOutputs(expected, expected, outputs, 'exact')).toEqual({ agrees: true, maxLsb: 0, share: 1 });
    expect(compareOutputs(expected, actual, outputs, 'exact')).toEqual({ agrees: false, maxLsb: 2, share: 0.5 });
    const within = (maxLsb: number, minShare: number) =>
      compareOutputs(expected, actual, outputs, { maxLsb, minShare });
    expect(within(1, 0.75)).toEqual({ agrees: true, maxLsb: 2, share: 0.75 });
    expect(within(1, 0.76)).toMatchObject({ agrees: false });
    expect(within(2, 1)).toMatchObject({ agrees: true, share: 1 });
  });

  test('of empty outputs holds; of outputs of different lengths it never does', () => {
    expect(compareOutputs(new Uint8Array(0), new Uint8Array(0), outputs, 'exact')).toMatchObject({ agrees: true });
    expect(compareOutputs(expected, new Uint8Array(3), outputs, { maxLsb: 255, minShare: 0 })).toEqual({
      agrees: false,
      maxLsb: Number.MAX_SAFE_INTEGER,
      share: 0,
    });
  });

  test('is exact without a manifest, and in parts per million in one', () => {
    expect(agreementOf(undefined)).toBe('exact');
    const manifest = { agreement: { max_lsb: 3, min_share_ppm: 990_000 } } as Parameters<typeof agreementOf>[0];
    expect(agreementOf(manifest)).toEqual({ maxLsb: 3, minShare: 0.99 });
  });
});
