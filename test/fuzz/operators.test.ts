// One-operator models with something changed at random, valid or not: the plain, the fast and the checked kernels agree
// byte for byte, or all of them refuse the model with the same coded error.

import { expect, test } from 'vitest';
import { AtollError } from '../../src/base/errors.js';
import { type Model, readModel, writeModel } from '../../src/formats/tflite/index.js';
import { Interpreter } from '../../src/simulator/index.js';
import { cases } from '../fixtures/operators/cases.js';
import { type Draw, drawFrom } from '../support/random-operators.js';

// Changed shapes may be of any size; what is large says no more here than what is small.
process.env.ATOLL_MAX_TENSOR_MIB = '16';

const pick = <T>(draw: Draw, list: ArrayLike<T>): T => list[draw(0, list.length - 1)] as T;

/** Small numbers, and those at which things break. */
const odd = (draw: Draw): number => pick(draw, [-2147483648, -100, -2, -1, 0, 1, 2, 3, 4, 7, 1000, 65536, 2147483647]);

const mutations: readonly ((draw: Draw, model: Model) => string)[] = [
  (draw, model) => {
    const { tensors } = pick(draw, model.subgraphs);
    const tensor = pick(draw, tensors);
    const shape = Array.from(tensor?.shape ?? []);
    if (tensor === undefined || shape.length === 0) return 'nothing';
    const at = draw(0, shape.length - 1);
    shape[at] = pick(draw, [0, 1, 2, 3, 5, 9, -1, (shape[at] as number) + 1]);
    tensor.shape = Int32Array.from(shape);
    return `shape ${shape.join('x')} of ${tensor.name}`;
  },
  (draw, model) => {
    const tensor = pick(draw, pick(draw, model.subgraphs).tensors);
    if (tensor === undefined) return 'nothing';
    const shape = Array.from(tensor.shape ?? []);
    tensor.shape = Int32Array.from(draw(0, 1) === 0 ? [1, ...shape] : shape.slice(1));
    return `rank of ${tensor.name}`;
  },
  (draw, model) => {
    const tensor = pick(draw, pick(draw, model.subgraphs).tensors);
    if (tensor === undefined) return 'nothing';
    tensor.type = draw(0, 17);
    return `type ${tensor.type} of ${tensor.name}`;
  },
  (draw, model) => {
    const quantization = pick(draw, pick(draw, model.subgraphs).tensors)?.quantization;
    if (quantization === null || quantization === undefined) return 'nothing';
    const scale = pick(draw, [0, -1, Number.NaN, Infinity, 1e-30, 1e30, 0.5, 1e-7, 3]);
    if (draw(0, 1) === 0) {
      quantization.scale = Float32Array.from(quantization.scale ?? [1], () => scale);
      return `scale ${scale}`;
    }
    const zero = BigInt(odd(draw));
    quantization.zeroPoint = BigInt64Array.from(quantization.zeroPoint ?? [0n], () => zero);
    return `zero point ${zero}`;
  },
  (draw, model) => {
    const options = pick(draw, pick(draw, model.subgraphs).operators)?.builtinOptions as unknown as Record<
      string,
      unknown
    > | null;
    const numbers = Object.keys(options ?? {}).filter((key) => typeof options?.[key] === 'number');
    if (options === null || numbers.length === 0) return 'nothing';
    const key = pick(draw, numbers);
    options[key] = odd(draw);
    return `option ${key} ${options[key]}`;
  },
  (draw, model) => {
    const operator = pick(draw, pick(draw, model.subgraphs).operators);
    if (operator === undefined) return 'nothing';
    const inputs = Array.from(operator.inputs ?? []);
    if (draw(0, 1) === 0) inputs.pop();
    else inputs.push(draw(-1, 2));
    operator.inputs = Int32Array.from(inputs);
    return `inputs ${inputs.join(', ')}`;
  },
  (draw, model) => {
    const buffer = pick(draw, model.buffers);
    if (buffer?.data == null || buffer.data.byteLength === 0) return 'nothing';
    buffer.data = Uint8Array.from(buffer.data, (byte) => (draw(0, 3) === 0 ? draw(0, 255) : byte));
    return 'constant data';
  },
];

/** What a build of the kernels makes of a model: outputs, or the code of its refusal. */
function outcome(model: Model, kernels: 'plain' | 'fast' | 'checked', seed: number): string {
  try {
    const interpreter = new Interpreter(readModel(writeModel(model)), { kernels });
    const draw = drawFrom(seed);
    const input = Uint8Array.from({ length: interpreter.inputBytes }, () => draw(0, 100));
    return Buffer.from(interpreter.run(input)).toString('hex');
  } catch (error) {
    if (error instanceof AtollError && error.code !== 'INTERNAL') return `${error.code}:`;
    throw error;
  }
}

const rounds = Number(process.env.ATOLL_FUZZ_ROUNDS ?? 6);

const timeoutMs = 60_000 + rounds * 3_000;

test(`${rounds} changes of each of ${cases.length} one-operator models`, { timeout: timeoutMs }, () => {
  let refused = 0;
  let ran = 0;
  for (const [c, { name, model: bytes }] of cases.entries()) {
    for (let round = 0; round < rounds; round++) {
      const seed = c * 1000 + round;
      const draw = drawFrom(seed * 7919 + 13);
      const model = readModel(bytes);
      // A loop with other constants may never end.
      const usable = name.startsWith('while') ? mutations.slice(0, -1) : mutations;
      const changes = Array.from({ length: draw(1, 2) }, () => pick(draw, usable)(draw, model)).join('; ');
      const what = `${name}, seed ${seed}: ${changes}`;
      let plain: string;
      try {
        plain = outcome(model, 'plain', seed);
        for (const kernels of ['fast', 'checked'] as const)
          expect(outcome(model, kernels, seed), `${kernels}: ${what}`).toBe(plain);
      } catch (error) {
        throw new Error(what, { cause: error });
      }
      if (/^[A-Z_]+:/.test(plain)) refused += 1;
      else ran += 1;
    }
  }
  expect(refused).toBeGreaterThan(cases.length);
  expect(ran).toBeGreaterThan(cases.length);
});
