import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../../src/base/hashes.js';
import {
  buildSlotImage,
  compareOutputs,
  decodeSlotImage,
  drawSample,
  SeededBytes,
} from '../../../../src/devices/bundle/index.js';
import { TensorType, writeModel } from '../../../../src/formats/tflite/index.js';
import { Interpreter, type TensorInfo } from '../../../../src/simulator/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { denseOptions, modelOf } from '../../../support/models.js';

const model = modelOf(
  [
    { shape: [1, 4], type: TensorType.INT8, scale: 0.1 },
    { shape: [3, 4], data: Int8Array.from({ length: 12 }, (_, i) => 11 * i - 60), scale: 0.1 },
    { shape: [1, 3], type: TensorType.INT8, scale: 0.2 },
  ],
  [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
  [0],
  [2],
);
const bytes = writeModel(model);
const target = await loadTarget('pico');
const image = buildSlotImage(bytes, model, target, { version: '7' });

test('an image contains the model and its self-test', () => {
  const { model: inside, trailer } = decodeSlotImage(image);
  expect(image.byteLength % 16).toBe(0);
  expect(Buffer.compare(inside, bytes)).toBe(0);
  expect(trailer?.manifest).toMatchObject({
    format: 1,
    version: '7',
    target: 'pico',
    profile: 'cmsis-nn',
    agreement: 'exact',
    operators: [9],
    model_bytes: bytes.byteLength,
    block_bytes: 4096,
  });
  expect(trailer?.signature).toBeNull();
  expect(trailer?.vectors).toHaveLength(4);
  const interpreter = new Interpreter(model);
  for (const { seed, output } of trailer?.vectors ?? [])
    expect([...interpreter.run(drawSample(new SeededBytes(seed), interpreter.inputs))]).toEqual([...output]);
});

test('the same model gives the same image', () => {
  expect(Buffer.compare(buildSlotImage(bytes, model, target, { version: '7' }), image)).toBe(0);
});

test('a bare model is an image without trailer', () => {
  expect(decodeSlotImage(bytes)).toEqual({ model: bytes, trailer: null });
});

test('every changed byte is detected', () => {
  const padding = new Set<number>();
  for (let i = bytes.byteLength; i < Math.ceil(bytes.byteLength / 16) * 16; i++) padding.add(i);
  const trailerEnd =
    new DataView(image.buffer).getUint32(image.byteLength - 32 + 16, true) +
    new DataView(image.buffer).getUint32(image.byteLength - 32 + 20, true);
  for (let i = trailerEnd; i < image.byteLength - 32; i++) padding.add(i);
  const unnoticed: number[] = [];
  for (let i = 0; i < image.byteLength; i++) {
    if (padding.has(i)) continue;
    try {
      const { trailer } = decodeSlotImage(image.with(i, (image[i] as number) ^ 0x55));
      // A damaged magic makes it a bare file, which is no TFLite model then either.
      if (trailer !== null) unnoticed.push(i);
    } catch (error) {
      expect(error).toMatchObject({ code: 'SLOT_IMAGE_INVALID' });
    }
  }
  // The target's name and the like are covered by a signature once there is one; the hashes cover model and vectors.
  const manifestAt = Buffer.from(image).indexOf('manifest');
  const vectorsAt = Buffer.from(image).lastIndexOf('gvectors');
  expect(unnoticed.every((i) => i > manifestAt && i < vectorsAt)).toBe(true);
});

test('anything that ends like an image is decoded or refused, never more', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (junk) => {
      const framed = new Uint8Array(junk.byteLength + 32);
      framed.set(junk);
      framed.set(image.subarray(-32), junk.byteLength);
      expect(() => decodeSlotImage(framed)).toThrow(expect.objectContaining({ code: 'SLOT_IMAGE_INVALID' }));
    }),
    { seed: 4 },
  );
});

describe('drawn inputs', () => {
  const tensor = (type: TensorInfo['type'], size: number): TensorInfo => ({
    index: 0,
    name: '',
    type,
    shape: [size],
    bytes: size,
    quantization: null,
  });
  test('are those of the specification: xorshift32, top byte', () => {
    // 1 -> 270369 -> 67634689 -> 2647435461 (Marsaglia's triple 13, 17, 5)
    expect([...drawSample(new SeededBytes(1), [tensor('int8', 3)])]).toEqual([
      270369 >>> 24,
      67634689 >>> 24,
      2647435461 >>> 24,
    ]);
    expect(new Float32Array(drawSample(new SeededBytes(1), [tensor('float32', 12)]).buffer)[2]).toBe(
      ((2647435461 >>> 24) - 256) / 128,
    );
  });
  test('go on from one tensor to the next', () => {
    const source = new SeededBytes(99);
    const whole = drawSample(new SeededBytes(99), [tensor('int8', 4), tensor('uint8', 4)]);
    expect([...drawSample(source, [tensor('int8', 4)]), ...drawSample(source, [tensor('int8', 4)])]).toEqual([
      ...whole,
    ]);
  });
});

test('agreement: exact, or within some LSB for some share', () => {
  const outputs: TensorInfo[] = [{ index: 0, name: '', type: 'int8', shape: [4], bytes: 4, quantization: null }];
  const a = Uint8Array.of(0, 1, 127, 128);
  const b = Uint8Array.of(0, 1, 126, 130);
  expect(compareOutputs(a, a, outputs, 'exact')).toEqual({ agrees: true, maxLsb: 0, share: 1 });
  expect(compareOutputs(a, b, outputs, 'exact')).toEqual({ agrees: false, maxLsb: 2, share: 0.5 });
  expect(compareOutputs(a, b, outputs, { maxLsb: 1, minShare: 0.75 })).toMatchObject({ agrees: true, share: 0.75 });
  expect(compareOutputs(a, b.subarray(1), outputs, { maxLsb: 9, minShare: 0 })).toMatchObject({ agrees: false });
});

test('hashes are SHA-256', () => {
  expect(Buffer.from(sha256(new TextEncoder().encode('abc'))).toString('hex')).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});
