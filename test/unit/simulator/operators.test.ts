import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Interpreter, operatorFamilies, overflowRisks } from '../../../src/simulator/index.js';
import { readModel, TensorType } from '../../../src/tflite/index.js';
import { floatBytes } from '../../support/files.js';
import { convOptions, denseModel, denseOptions, modelOf } from '../../support/models.js';

interface Vector {
  readonly name: string;
  readonly model: string;
  readonly input: string;
  readonly output: string;
}

const { vectors } = JSON.parse(readFileSync(new URL('../../fixtures/operators/vectors.json', import.meta.url), 'utf8')) as { vectors: Vector[] };
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

describe('TFLite Micro computes the same bytes', () => {
  test.each(vectors)('$name', ({ model, input, output }) => {
    expect(Buffer.from(new Interpreter(readModel(bytes(model))).run(bytes(input))).toString('base64')).toBe(output);
  });

  test('every operator that computes integers has vectors', () => {
    const covered = new Set(vectors.map(({ name }) => (name.split(/[ /]/)[0] ?? '').toUpperCase()));
    // Shape arithmetic is exact by nature, and copies are covered by the operators around them.
    const exempt = new Set(['SHAPE', 'RESHAPE', 'SQUEEZE', 'EXPAND_DIMS']);
    const missing = [...operatorFamilies.keys()].filter((name) => !covered.has(name) && !exempt.has(name));
    expect(missing).toEqual([]);
  });
});

test('a float model computes what it says', () => {
  const interpreter = new Interpreter(denseModel());
  const output = new Float32Array(interpreter.run(floatBytes([1, 2, 3, 4])).buffer);
  expect([...output]).toEqual([0.5 - 2 + 0.75 + 8 + 0.5, 1 + 2 - 6 + 0.5 - 0.25]);
});

test('all missing operators are named at once, when the model is loaded', () => {
  const model = modelOf(
    [{ shape: [1, 4] }, { shape: [1, 4] }, { shape: [1, 4] }, { shape: [1, 4] }],
    [
      { op: 'FLOOR', inputs: [0], outputs: [1] },
      { op: 'CEIL', inputs: [1], outputs: [2] },
      { op: 'FLOOR', inputs: [2], outputs: [3] },
    ],
    [0],
    [3],
  );
  expect(() => new Interpreter(model)).toThrow(
    expect.objectContaining({ code: 'OPERATORS_UNSUPPORTED', message: expect.stringContaining('FLOOR (operator 0, 2); CEIL (operator 1)') }),
  );
});

describe('models that contradict themselves', () => {
  test('an output of the wrong shape', () => {
    const model = modelOf(
      [{ shape: [1, 4, 4, 1] }, { shape: [2, 3, 3, 1], data: new Float32Array(18) }, { shape: [1, 4, 4, 3] }],
      [{ op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions() }],
      [0],
      [2],
    );
    expect(() => new Interpreter(model)).toThrow(/operator 0 CONV_2D: tensor 2 "tensor2" has shape \[1, 4, 4, 3\], not \[1, 4, 4, 2\]/);
  });

  test('weights with fewer bytes than their shape', () => {
    const model = denseModel();
    const buffer = model.buffers[1];
    if (buffer !== undefined) buffer.data = new Uint8Array(12);
    expect(() => new Interpreter(model)).toThrow(/12 bytes of data for a shape that takes 32/);
  });

  test('a dynamic shape', () => {
    const model = denseModel();
    const input = model.subgraphs[0]?.tensors[0];
    if (input !== undefined) input.shape = Int32Array.of(-1, 4);
    expect(() => new Interpreter(model)).toThrow(expect.objectContaining({ code: 'TENSOR_SHAPE_DYNAMIC' }));
  });

  test('a scale of zero', () => {
    const model = modelOf(
      [
        { shape: [1, 2], type: TensorType.INT8, scale: 0 },
        { shape: [1, 2], data: Int8Array.of(1, 2), scale: 1 },
        { shape: [1, 1], type: TensorType.INT8, scale: 1 },
      ],
      [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
      [0],
      [2],
    );
    expect(() => new Interpreter(model)).toThrow(/"tensor0" has scale 0/);
  });

  const relus = (first: number, second: number) => ({
    operators: [
      { op: 'RELU' as const, inputs: [first], outputs: [second] },
      { op: 'RELU' as const, inputs: [1], outputs: [2] },
    ],
  });
  const four = { shape: [1, 4] };
  test.each([
    [
      'operators out of order',
      modelOf(
        [four, four, four],
        [
          { op: 'RELU', inputs: [1], outputs: [2] },
          { op: 'RELU', inputs: [0], outputs: [1] },
        ],
        [0],
        [2],
      ),
      /"tensor1" is read before anything wrote it/,
    ],
    [
      'a tensor that nothing computes',
      modelOf([four, four, four], relus(0, 1).operators.slice(0, 1), [0], [2]),
      /"tensor2" is an output that nothing computes/,
    ],
    [
      'a constant that is written',
      modelOf([four, { shape: [1, 4], data: new Float32Array(4) }], [{ op: 'RELU', inputs: [0], outputs: [1] }], [0], [1]),
      /"tensor1" is written although the file holds its data/,
    ],
    [
      'a tensor that is written twice',
      modelOf([four, four, four], [...relus(0, 1).operators, { op: 'RELU', inputs: [0], outputs: [1] }], [0], [2]),
      /"tensor1" is written twice/,
    ],
    ['no outputs', modelOf([four, four], [{ op: 'RELU', inputs: [0], outputs: [1] }], [0], []), /no outputs/],
  ])('%s', (_, model, message) => {
    expect(() => new Interpreter(model)).toThrow(expect.objectContaining({ code: 'TFLITE_INVALID', message: expect.stringMatching(message) }));
  });

  test('more memory than any host should give', () => {
    const model = modelOf([{ shape: [1, 40000, 40000, 4] }, { shape: [1, 40000, 40000, 4] }], [{ op: 'RELU', inputs: [0], outputs: [1] }], [0], [1]);
    expect(() => new Interpreter(model)).toThrow(expect.objectContaining({ code: 'TENSOR_TOO_LARGE' }));
  });
});

test('an accumulator wraps in 32 bits, as the kernels do, and is flagged beforehand', () => {
  const depth = 70000;
  const model = modelOf(
    [
      { shape: [1, depth], type: TensorType.INT8, scale: 1, zeroPoint: -128 },
      { shape: [1, depth], data: new Int8Array(depth).fill(127), scale: 1 },
      { shape: [1, 1], type: TensorType.INT8, scale: 2 ** 24 },
    ],
    [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
    [0],
    [2],
  );
  expect(overflowRisks(model)).toEqual([{ operator: 0, op: 'FULLY_CONNECTED', tensor: '1 "tensor1"', channel: 0, channels: 1 }]);
  const sum = (depth * 255 * 127) | 0;
  expect(sum).toBeLessThan(0);
  expect(new Int8Array(new Interpreter(model).run(new Uint8Array(depth).fill(127)).buffer)[0]).toBe(-Math.round(-sum / 2 ** 24));
});
