import { decodeBlock } from 'uf2';
import { describe, expect, test } from 'vitest';
import { TensorType } from '../../../../src/formats/tflite/index.js';
import { cArray, identifierOf, resolverCode, uf2Image } from '../../../../src/targets/export/index.js';
import { loadOperatorSet, registeredOperators } from '../../../../src/targets/index.js';
import { convOptions, denseModel, modelOf } from '../../../support/models.js';

test.each([
  ['models/kws-v2.tflite', 'kws_v2'],
  ['2nd.tflite', 'model_2nd'],
  ['int.tflite', 'model_int'],
  ['_.tflite', 'model'],
])('the identifier of %s is %s', (file, name) => {
  expect(identifierOf(file)).toBe(name);
});

test('a C array holds every byte in order, aligned, and its header the length', () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => (i * 37) & 255);
  const { source, header } = cArray(bytes, 'kws', 'kws.h');
  expect(Array.from(source.matchAll(/0x([0-9a-f]{2})/g), ([, hex]) => Number.parseInt(hex as string, 16))).toEqual([
    ...bytes,
  ]);
  expect(source).toContain('alignas(16) const unsigned char kws_model[kws_model_len]');
  expect(header).toContain('#define kws_model_len 40');
});

test('a UF2 image covers the bytes page by page, for one family', () => {
  const bytes = Uint8Array.from({ length: 600 }, (_, i) => i & 255);
  const image = uf2Image(bytes, 0x10040000, 0xe48bff56);
  const blocks = [0, 1, 2].map((b) => decodeBlock(image.subarray(512 * b, 512 * (b + 1))));
  expect(image).toHaveLength(3 * 512);
  expect(
    blocks.map(({ flashAddress, blockNumber, totalBlocks, boardFamily }) => [
      flashAddress,
      blockNumber,
      totalBlocks,
      boardFamily,
    ]),
  ).toEqual([0, 1, 2].map((b) => [0x10040000 + 256 * b, b, 3, 0xe48bff56]));
  const joined = Buffer.concat(blocks.map(({ payload }) => payload));
  expect(joined.subarray(0, 600).equals(bytes)).toBe(true);
  expect(joined.subarray(600).every((byte) => byte === 0xff)).toBe(true);
});

describe('op resolver', () => {
  const int8 = { type: TensorType.INT8, scale: 0.1 };
  const mixed = modelOf(
    [
      { shape: [1, 4, 4, 1], ...int8 },
      { shape: [1, 1, 1, 1], data: new Int8Array(1), scale: 0.1 },
      { shape: [1, 4, 4, 1], ...int8 },
      { shape: [1, 16], ...int8 },
      { shape: [2], data: Int32Array.of(1, 16) },
    ],
    [
      { op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions() },
      { op: 'CONV_2D', inputs: [2, 1, -1], outputs: [2], options: convOptions() },
      { op: 'RESHAPE', inputs: [2, 4], outputs: [3] },
    ],
    [0],
    [3],
  );

  test('each operator is registered once, for one type where all of its kind have it', async () => {
    const operators = registeredOperators(mixed, await loadOperatorSet('tflite-micro'));
    expect(operators).toEqual([
      { op: 'CONV_2D', count: 2, method: 'AddConv2D', type: 'int8', header: null },
      { op: 'RESHAPE', count: 1, method: 'AddReshape', type: null, header: null },
    ]);
    const code = resolverCode(operators, 'kws', 'kws.tflite', 1024);
    expect(code).toContain('using KwsOpResolver = tflite::MicroMutableOpResolver<2>;');
    expect(code).toContain('resolver.AddConv2D(tflite::Register_CONV_2D_INT8())');
    expect(code).toContain('resolver.AddReshape()');
    expect(code).toContain('constexpr int kKwsArenaBytes = 1024;');
  });

  test('a registration brings its header, where the resolver does not', async () => {
    const transposed = modelOf(
      [
        { shape: [2, 3], ...int8 },
        { shape: [2], data: Int32Array.of(1, 0) },
        { shape: [3, 2], ...int8 },
      ],
      [{ op: 'TRANSPOSE', inputs: [0, 1], outputs: [2] }],
      [0],
      [2],
    );
    const code = resolverCode(
      registeredOperators(transposed, await loadOperatorSet('tflite-micro')),
      'x',
      'x.tflite',
      null,
    );
    expect(code).toContain('#include "tensorflow/lite/micro/kernels/transpose.h"');
    expect(code).toContain('resolver.AddTranspose(tflite::Register_TRANSPOSE_INT8())');
  });

  test('a float layer takes the general kernel', async () => {
    expect(registeredOperators(denseModel(), await loadOperatorSet('tflite-micro'))).toEqual([
      { op: 'FULLY_CONNECTED', count: 1, method: 'AddFullyConnected', type: null, header: null },
    ]);
  });

  test('operators that TFLM lacks are refused by name', async () => {
    const model = modelOf([{ shape: [1] }, { shape: [1] }], [{ op: 'GELU', inputs: [0], outputs: [1] }], [0], [1]);
    const known = await loadOperatorSet('tflite-micro');
    expect(() => registeredOperators(model, known)).toThrow(
      expect.objectContaining({ code: 'RESOLVER_OPERATORS', message: expect.stringContaining('GELU') }),
    );
  });
});
