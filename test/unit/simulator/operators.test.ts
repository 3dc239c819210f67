import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readModel, TensorType } from '../../../src/formats/tflite/index.js';
import {
  Interpreter,
  inputsAndOutputs,
  type KernelProfile,
  kernelProfiles,
  limitsBroken,
  operatorFamilies,
  operatorSources,
  overflowRisks,
} from '../../../src/simulator/index.js';
import { cases } from '../../fixtures/operators/cases.js';
import { floatBytes } from '../../support/files.js';
import { convOptions, denseModel, denseOptions, modelOf } from '../../support/models.js';

interface Vector {
  /** Of the model and its inputs, which are made again here. */
  readonly crc: number;
  readonly outputs: readonly { readonly profiles: readonly KernelProfile[]; readonly bytes: string }[];
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../../fixtures/operators/vectors.json', import.meta.url), 'utf8'),
) as { vectors: Record<string, Vector> };

/** What the case's runtimes computed under a profile; undefined where they refuse it. */
const expectedOf = (name: string, profile: KernelProfile): Buffer | undefined => {
  const output = vectors[name]?.outputs.find(({ profiles }) => profiles.includes(profile));
  return output === undefined ? undefined : Buffer.from(output.bytes, 'base64');
};

const operatorOf = (name: string): string => (name.split(/[ /]/)[0] ?? '').toUpperCase();

test('vectors.json belongs to the cases: otherwise, run expected.py again', () => {
  expect(cases.map(({ name, model, inputs }) => [name, crc32(Buffer.concat([model, ...inputs]))])).toEqual(
    Object.entries(vectors).map(([name, { crc }]) => [name, crc]),
  );
});

for (const profile of Object.keys(kernelProfiles) as KernelProfile[]) {
  describe(`${profile}: the reference runtime computes the same`, () => {
    // CMSIS-NN's results are TFLM's but for what the test below names.
    const source = profile === 'cmsis-nn' ? 'tflm-reference' : profile;
    const covered = cases.filter(({ name }) => expectedOf(name, source) !== undefined);
    test.each(covered)('$name', ({ name, model, inputs }) => {
      const interpreter = new Interpreter(readModel(model), { profile });
      const output = Buffer.from(interpreter.run(Buffer.concat(inputs)));
      const expected = expectedOf(name, source) as Buffer;
      if (interpreter.outputs[0]?.type === 'float32') expectClose(output, expected);
      else expect(output.toString('hex')).toBe(expected.toString('hex'));
    });
  });
}

/** Floats differ in the last bits of exp and the like from one C library to the next. */
function expectClose(actual: Buffer, expected: Buffer): void {
  const [a, b] = [actual, expected].map((bytes) => new Float32Array(Uint8Array.from(bytes).buffer)) as [
    Float32Array,
    Float32Array,
  ];
  expect(a.length).toBe(b.length);
  a.forEach((value, i) => {
    const other = b[i] as number;
    if (Number.isNaN(other)) expect(value).toBeNaN();
    else if (Math.abs(other) === Infinity) expect(value).toBe(other);
    else
      expect(Math.abs(value - other), `element ${i}: ${value}, not ${other}`).toBeLessThanOrEqual(
        1e-5 * Math.max(1, Math.abs(other)),
      );
  });
}

test('cmsis-nn: the state of an LSTM does not last, a softmax of one value overflows', () => {
  const lstm = cases.find(({ name }) => name === 'unidirectional_sequence_lstm int8 0');
  if (lstm === undefined) throw new Error('no such case');
  const sample = Buffer.concat(lstm.inputs);
  const twice = (profile: KernelProfile): string[] => {
    const interpreter = new Interpreter(readModel(lstm.model), { profile });
    return [interpreter.run(sample), interpreter.stream(sample)].map((output) => Buffer.from(output).toString('hex'));
  };
  const [first, second] = twice('tflm-reference');
  expect(second).not.toBe(first);
  expect(twice('cmsis-nn')).toEqual([first, first]);
  const operand = { shape: [2, 1], type: TensorType.INT16 };
  const tensors = [
    { ...operand, scale: 0.001 },
    { ...operand, scale: 1 / 32768 },
  ];
  const softmax = modelOf(
    tensors,
    [{ op: 'SOFTMAX', inputs: [0], outputs: [1], options: { kind: 'SoftmaxOptions', beta: 1 } }],
    [0],
    [1],
  );
  const of = (profile: KernelProfile): number[] => [
    ...new Int16Array(new Interpreter(softmax, { profile }).run(new Uint8Array(4)).buffer),
  ];
  expect(of('tflm-reference')).toEqual([32767, 32767]);
  expect(of('cmsis-nn')).toEqual([-32768, -32768]);
});

test('unknown kernel profiles and signatures', () => {
  expect(() => new Interpreter(denseModel(), { profile: 'tflm' as KernelProfile })).toThrow(
    /no kernel profile is named tflm; there are tflm-reference/,
  );
  expect(() => new Interpreter(denseModel(), { signature: 'serving' })).toThrow(
    expect.objectContaining({ code: 'SIGNATURE_UNKNOWN' }),
  );
});

test('every operator has vectors', () => {
  const covered = new Set(
    Object.entries(vectors).flatMap(([name, { outputs }]) => (outputs.length > 0 ? [operatorOf(name)] : [])),
  );
  expect([...operatorFamilies.keys()].filter((name) => !covered.has(name.toUpperCase()))).toEqual([]);
});

test('a float model computes its formula', () => {
  const interpreter = new Interpreter(denseModel());
  const output = new Float32Array(interpreter.run(floatBytes([1, 2, 3, 4])).buffer);
  expect([...output]).toEqual([0.5 - 2 + 0.75 + 8 + 0.5, 1 + 2 - 6 + 0.5 - 0.25]);
});

test('all missing operators are named at once, when the model is loaded', () => {
  const model = modelOf(
    [{ shape: [1, 4] }, { shape: [1, 4] }, { shape: [1, 4] }, { shape: [1, 4] }],
    [
      { op: 'UNIQUE', inputs: [0], outputs: [1] },
      { op: 'RNN', inputs: [1], outputs: [2] },
      { op: 'UNIQUE', inputs: [2], outputs: [3] },
    ],
    [0],
    [3],
  );
  expect(() => new Interpreter(model)).toThrow(
    expect.objectContaining({
      code: 'OPERATORS_UNSUPPORTED',
      message: expect.stringContaining('UNIQUE (operator 0, 2); RNN (operator 1)'),
    }),
  );
});

describe('models that contradict themselves', () => {
  test(
    'shapes of computed tensors are hints: what is computed counts, ' + 'which TensorFlow Lite Micro does not follow',
    () => {
      const model = modelOf(
        [{ shape: [1, 4, 4, 1] }, { shape: [2, 3, 3, 1], data: new Float32Array(18) }, { shape: [1, 4, 4, 3] }],
        [{ op: 'CONV_2D', inputs: [0, 1], outputs: [2], options: convOptions() }],
        [0],
        [2],
      );
      expect(inputsAndOutputs(model).outputs[0]?.shape).toEqual([1, 4, 4, 2]);
      expect(limitsBroken(model, 'tflite-reference')).toEqual([]);
      expect(limitsBroken(model, 'tflm-reference')).toEqual([
        expect.objectContaining({ severity: 'refused', reason: expect.stringContaining('[1, 4, 4, 3]') }),
      ]);
    },
  );

  test('weights with fewer bytes than their shape', () => {
    const model = denseModel();
    const buffer = model.buffers[1];
    if (buffer !== undefined) buffer.data = new Uint8Array(12);
    expect(() => new Interpreter(model)).toThrow(/12 bytes of data for a shape that needs 32/);
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
      modelOf(
        [four, { shape: [1, 4], data: new Float32Array(4) }],
        [{ op: 'RELU', inputs: [0], outputs: [1] }],
        [0],
        [1],
      ),
      /"tensor1" is written although the file holds its data/,
    ],
    [
      'a tensor that is written twice',
      modelOf([four, four, four], [...relus(0, 1).operators, { op: 'RELU', inputs: [0], outputs: [1] }], [0], [2]),
      /"tensor1" is written twice/,
    ],
    ['no outputs', modelOf([four, four], [{ op: 'RELU', inputs: [0], outputs: [1] }], [0], []), /no outputs/],
  ])('%s', (_, model, message) => {
    expect(() => new Interpreter(model)).toThrow(
      expect.objectContaining({ code: 'TFLITE_INVALID', message: expect.stringMatching(message) }),
    );
  });

  test('more memory than any host should give', () => {
    const model = modelOf(
      [{ shape: [1, 40000, 40000, 4] }, { shape: [1, 40000, 40000, 4] }],
      [{ op: 'RELU', inputs: [0], outputs: [1] }],
      [0],
      [1],
    );
    expect(() => new Interpreter(model)).toThrow(expect.objectContaining({ code: 'TENSOR_TOO_LARGE' }));
  });
});

test('DIV of many 8-bit elements runs on the fast kernels where no stored divisor is 0, and ends where one is', () => {
  const operand = { shape: [1, 4096], type: TensorType.INT8, scale: 0.1 };
  const options = { kind: 'DivOptions', fusedActivationFunction: 0 } as const;
  const model = modelOf(
    [operand, operand, { ...operand, scale: 0.05 }],
    [{ op: 'DIV', inputs: [0, 1], outputs: [2], options }],
    [0, 1],
    [2],
  );
  const sample = Uint8Array.from({ length: 8192 }, (_, i) => ((i * 37) % 255) + 1);
  const ran = (['fast', 'plain'] as const).map((kernels) => {
    const interpreter = new Interpreter(model, { profile: 'tflite-reference', kernels });
    expect(() => interpreter.run(sample.with(8000, 0))).toThrow('with a stored 0');
    return Buffer.from(interpreter.run(sample)).toString('hex');
  });
  expect(ran[0]).toBe(ran[1]);
});

test.each(['FLOOR_DIV', 'FLOOR_MOD'] as const)(
  '%s of integers by 0 ends the model in every profile, as in TensorFlow Lite',
  (op) => {
    // FLOOR_DIV takes no int64.
    for (const type of op === 'FLOOR_MOD' ? [TensorType.INT32, TensorType.INT64] : [TensorType.INT32]) {
      const operand = { shape: [1, 2], type };
      const model = modelOf([operand, operand, operand], [{ op, inputs: [0, 1], outputs: [2] }], [0, 1], [2]);
      for (const profile of Object.keys(kernelProfiles) as KernelProfile[]) {
        const interpreter = new Interpreter(model, { profile });
        expect(() => interpreter.run(new Uint8Array(interpreter.inputBytes)), profile).toThrow(
          'with a stored 0, at which the kernel ends with an error',
        );
      }
    }
  },
);

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
  expect(overflowRisks(model)).toEqual([
    { operator: 0, op: 'FULLY_CONNECTED', tensor: '1 "tensor1"', channel: 0, channels: 1 },
  ]);
  const sum = (depth * 255 * 127) | 0;
  expect(sum).toBeLessThan(0);
  expect(new Int8Array(new Interpreter(model).run(new Uint8Array(depth).fill(127)).buffer)[0]).toBe(
    -Math.round(-sum / 2 ** 24),
  );
});

test('the reference pages name the definition of the arithmetic of every operator', () => {
  expect(Object.keys(operatorSources).toSorted()).toEqual([...operatorFamilies.keys()].toSorted());
});
