import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  edgeTpuOperators,
  mainSubgraph,
  prefixOf,
  readModel,
  TensorType,
  writeModel,
} from '../../../../src/formats/tflite/index.js';
import {
  bisect,
  compareWithPrediction,
  compiledModelOf,
  decodePackage,
  encodePackage,
  packageIn,
  parseCompilerLog,
  requireRuntime,
} from '../../../../src/targets/compiled/index.js';
import { checkModel, loadTarget } from '../../../../src/targets/index.js';
import { compiledLike } from '../../../support/edgetpu-package.js';
import { convOptions, denseModel, modelOf } from '../../../support/models.js';
import { sharedBytes, sharedJson, sharedTest } from '../../../support/shared.js';

const caching = { type: 1, parameterBytes: 4096 };
const execution = { type: 2, parameterBytes: 64 };

describe('a compiled model', () => {
  const bytes = writeModel(compiledLike(denseModel(), [caching, execution], 13));

  test('shows its executables, sizes and the runtime that it needs', () => {
    const compiled = compiledModelOf(readModel(bytes, 'compiled'));
    expect(compiled).toMatchObject({
      minRuntimeVersion: 13,
      cachedParameterBytes: 4096,
      streamedParameterBytes: 64,
      estimatedCycles: 1234,
    });
    expect(compiled?.parts[0]).toMatchObject({ operator: 0, compilerVersion: '16.0' });
    expect(compiled?.parts[0]?.executables).toMatchObject([
      { kind: 'parameter-caching', inputs: [], chip: 'beagle', parameterCachingToken: 77n },
      { kind: 'execution-only', scratchBytes: 64, inputs: [{ name: 'input', bytes: 48, shape: [4, 4, 3] }] },
    ]);
  });

  test('is null for any other model', () => {
    expect(compiledModelOf(denseModel())).toBeNull();
  });

  test('is refused by a device with an older runtime', () => {
    const compiled = compiledModelOf(readModel(bytes, 'compiled'));
    if (compiled === null) throw new Error('not compiled');
    expect(() => requireRuntime(compiled, 12, 'sim:x')).toThrow(expect.objectContaining({ code: 'EDGETPU_RUNTIME' }));
    expect(() => requireRuntime(compiled, 13, 'sim:x')).not.toThrow();
  });

  test('is refused by check with its own code', async () => {
    const { reasons } = checkModel(readModel(bytes, 'compiled'), await loadTarget('coral-usb'), bytes.length);
    expect(reasons.map(({ code }) => code)).toEqual(['COMPILED']);
  });

  test('that is damaged anywhere gives a coded error, or is read', () => {
    const model = compiledLike(denseModel(), [caching, execution], 13);
    const operator = mainSubgraph(model).operators[0];
    if (operator === undefined) throw new Error('no operator');
    const options = operator.customOptions as Uint8Array;
    for (let at = 0; at < options.length; at++) {
      if (options[at] === 0 && at % 16 !== 0) continue;
      const damaged = options.slice();
      damaged[at] = (damaged[at] as number) ^ 0x7f;
      operator.customOptions = damaged;
      try {
        compiledModelOf(model);
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/^EDGETPU_PACKAGE_INVALID$/);
      }
    }
  });

  for (const name of ['mobilenet_v1_0.25_128_quant', 'deeplabv3_mnv2_dm05_pascal_quant']) {
    sharedTest(`${name}: parameters as the public pairs have them`, () => {
      const file = `coral/${name}_edgetpu.tflite`;
      const compiled = compiledModelOf(readModel(sharedBytes('models', file), file));
      const pairs = sharedJson<{ id: string; minRuntime: number; cachedParameterBytes: number }[]>(
        'facts',
        'edgetpu-pairs.json',
      );
      const known = pairs
        .filter(({ id }) => id.includes(name))
        .map(({ minRuntime, cachedParameterBytes }) => `${minRuntime} ${cachedParameterBytes}`);
      expect(known).toContain(`${compiled?.minRuntimeVersion} ${compiled?.cachedParameterBytes}`);
      expect(compiled?.streamedParameterBytes).toBe(0);
    });

    sharedTest(`${name}: encoded again, it is the same package, and as long`, () => {
      const file = `coral/${name}_edgetpu.tflite`;
      for (const { operator } of edgeTpuOperators(readModel(sharedBytes('models', file), file))) {
        const bytes = packageIn(operator.customOptions as Uint8Array, file);
        const original = decodePackage(bytes, file);
        const again = encodePackage(original);
        const back = decodePackage(again, file);
        expect(back.executables).toHaveLength(2);
        expect(isDeepStrictEqual(back.fields, original.fields)).toBe(true);
        for (const [e, { fields }] of back.executables.entries()) {
          expect(isDeepStrictEqual(fields, original.executables[e]?.fields)).toBe(true);
          // As libedgetpu wants it: parameters at the start of a page.
          expect((fields.parameters?.byteOffset ?? 0) - again.byteOffset).toSatisfy((at: number) => at % 4096 === 0);
        }
        expect(Math.abs(again.byteLength - bytes.byteLength)).toBeLessThan(3 * 4096);
      }
    });
  }
});

const log = `Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 1379 ms.

Input model: model.tflite
Input size: 4.41MiB
Output model: model_edgetpu.tflite
Output size: 5.49MiB
On-chip memory used for caching model parameters: 1.92MiB
On-chip memory remaining for caching model parameters: 1.75KiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 12
Operation log: model_edgetpu.log

Operator                       Count      Status

CONV_2D                        10         Mapped to Edge TPU
SOFTMAX                        1          Mapped to Edge TPU
ARG_MAX                        1          Operation is working on an unsupported data type
Compilation child process completed within timeout period.
Compilation succeeded!
`;

describe("the compiler's log", () => {
  test('is parsed to numbers', () => {
    expect(parseCompilerLog(log)).toEqual({
      version: '16.0.384591198',
      succeeded: true,
      failure: null,
      milliseconds: 1379,
      subgraphs: 1,
      operators: 12,
      cachedParameterBytes: 2013266,
      remainingCacheBytes: 1792,
      streamedParameterBytes: 0,
      table: [
        { op: 'CONV_2D', count: 10, status: 'Mapped to Edge TPU' },
        { op: 'SOFTMAX', count: 1, status: 'Mapped to Edge TPU' },
        { op: 'ARG_MAX', count: 1, status: 'Operation is working on an unsupported data type' },
      ],
    });
  });

  test.each([
    ['Internal compiler error. Aborting! ', 'Internal compiler error. Aborting!'],
    [
      'Compilation failed due to large activation tensors in model.',
      'Compilation failed due to large activation tensors in model.',
    ],
    [
      'ERROR: Attempting to use a delegate that only supports static-sized tensors',
      'ERROR: Attempting to use a delegate that only supports static-sized tensors',
    ],
  ])('says why it failed: %s', (line, failure) => {
    expect(parseCompilerLog(`Edge TPU Compiler version 15.0.340273435\n\n${line}\n`)).toMatchObject({
      succeeded: false,
      failure,
    });
  });

  test('is compared with the prediction: placements, parts, parameters', async () => {
    const int8 = { type: TensorType.INT8, scale: 0.1 };
    const model = modelOf(
      [
        { shape: [1, 4, 4, 4], ...int8 },
        { shape: [4, 1, 1, 4], data: new Int8Array(16), scale: 0.1 },
        { shape: [1, 4, 4, 4], ...int8 },
      ],
      [{ op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions() }],
      [0],
      [2],
    );
    const prediction = checkModel(model, await loadTarget('coral-usb'), 1);
    const made = parseCompilerLog(log);
    expect(compareWithPrediction(prediction, made, 2013266).map(({ what }) => what)).toEqual([
      'CONV_2D on the Edge TPU',
      'SOFTMAX on the Edge TPU',
      'parameter bytes',
    ]);
    const same = {
      ...made,
      cachedParameterBytes: 0,
      table: [{ op: 'CONV_2D', count: 1, status: 'Mapped to Edge TPU' }],
    };
    expect(compareWithPrediction(prediction, same, prediction.memory.parameterBytes)).toEqual([]);
  });
});

describe('bisection', () => {
  const int8 = { type: TensorType.INT8, scale: 0.1 };
  const chain = modelOf(
    [
      { shape: [1, 4, 4, 4], ...int8 },
      { shape: [4, 1, 1, 4], data: new Int8Array(16), scale: 0.1 },
      ...Array.from({ length: 9 }, () => ({ shape: [1, 4, 4, 4], ...int8 })),
    ],
    Array.from({ length: 9 }, (_, o) => ({
      op: o === 6 ? ('LOGISTIC' as const) : ('CONV_2D' as const),
      inputs: o === 6 ? [o + 1] : [o === 0 ? 0 : o + 1, 1, -1],
      outputs: [o + 2],
      ...(o === 6 ? {} : { options: convOptions() }),
    })),
    [0],
    [10],
  );

  test('finds the operator at which a compiler breaks, in few runs', async () => {
    const breaksAt = async (bytes: Uint8Array): Promise<boolean> =>
      mainSubgraph(readModel(bytes, 'part')).operators.length >= 7;
    expect(await bisect(chain, breaksAt)).toMatchObject({ operators: 7, op: 'LOGISTIC', runs: 4 });
    expect(await bisect(chain, async () => false)).toBeNull();
  });

  test('a beginning reads no input that it does not use', () => {
    const two = modelOf(
      [
        { shape: [1, 4], ...int8 },
        { shape: [1, 4], ...int8 },
        { shape: [1, 4], ...int8 },
        { shape: [1, 4], ...int8 },
      ],
      [
        { op: 'LOGISTIC', inputs: [0], outputs: [2] },
        { op: 'ADD', inputs: [1, 2], outputs: [3] },
      ],
      [0, 1],
      [3],
    );
    expect(mainSubgraph(prefixOf(two, 1)).inputs).toHaveLength(1);
    expect(mainSubgraph(prefixOf(two, 2)).inputs).toHaveLength(2);
  });

  test('a first part has the tensors read by later operators as its outputs', () => {
    const part = prefixOf(chain, 3);
    expect(mainSubgraph(part).operators).toHaveLength(3);
    expect(mainSubgraph(part).outputs).toHaveLength(1);
    expect(mainSubgraph(readModel(writeModel(part), 'part')).inputs).toEqual(Int32Array.of(0));
  });
});
