import { describe, expect, test } from 'vitest';
import { type Model, mainSubgraph, operatorName, TensorType } from '../../../../src/formats/tflite/index.js';
import { mergeEqualOperators } from '../../../../src/optimize/passes/merge-equal-operators.js';
import { modelOf, type OperatorSpec, type TensorSpec } from '../../../support/models.js';
import { signalToNoise } from '../../../support/quantizing.js';
import { sumOptions } from '../../../support/small-graphs.js';

const leaky = (alpha: number) => ({ kind: 'LeakyReluOptions', alpha }) as const;
const x = Float32Array.of(1, -2, 3);

/** Tensors 0 (the input) to 6, of three elements. */
function graphOf(
  operators: readonly OperatorSpec[],
  outputs: readonly number[],
  more: readonly TensorSpec[] = [],
): Model {
  return modelOf([...Array.from({ length: 7 }, () => ({ shape: [3] })), ...more], operators, [0], outputs);
}

const names = (model: Model): string[] =>
  mainSubgraph(model).operators.map((operator) => operatorName(model, operator));

const sum: OperatorSpec = { op: 'ADD', inputs: [3, 4], outputs: [5], options: sumOptions('AddOptions') };

describe('equal operators', () => {
  test('are one, chains of them too', () => {
    const model = graphOf(
      [
        { op: 'ABS', inputs: [0], outputs: [1] },
        { op: 'ABS', inputs: [0], outputs: [2] },
        { op: 'EXP', inputs: [1], outputs: [3] },
        { op: 'EXP', inputs: [2], outputs: [4] },
        sum,
      ],
      [5],
    );
    const { model: merged, changes } = mergeEqualOperators.run(model);
    expect(changes).toBe(2);
    expect(names(merged)).toEqual(['ABS', 'EXP', 'ADD']);
    expect(signalToNoise(model, merged, [[x]])).toBe(Number.POSITIVE_INFINITY);
    expect(names(model)).toHaveLength(5);
  });

  test.each<[second: number[], merged: number]>([
    [[0, 1, 2], 1],
    [[0, 1, 3], 0],
  ])('have the same constants: [0, 1, 2] and %j', (second, merged) => {
    const model = graphOf(
      [{ op: 'MAXIMUM', inputs: [0, 7], outputs: [3] }, { op: 'MAXIMUM', inputs: [0, 8], outputs: [4] }, sum],
      [5],
      [
        { shape: [3], data: Float32Array.of(0, 1, 2) },
        { shape: [3], data: Float32Array.from(second) },
      ],
    );
    expect(mergeEqualOperators.run(model).changes).toBe(merged);
  });
});

describe('operators stay', () => {
  test('with other options', () => {
    const model = graphOf(
      [
        { op: 'LEAKY_RELU', inputs: [0], outputs: [3], options: leaky(0.1) },
        { op: 'LEAKY_RELU', inputs: [0], outputs: [4], options: leaky(0.2) },
        sum,
      ],
      [5],
    );
    expect(mergeEqualOperators.run(model)).toEqual({ model, changes: 0 });
  });

  test('with other inputs', () => {
    const model = graphOf(
      [{ op: 'ABS', inputs: [0], outputs: [3] }, { op: 'ABS', inputs: [3], outputs: [4] }, sum],
      [5],
    );
    expect(mergeEqualOperators.run(model).changes).toBe(0);
  });

  test('whose result the graph returns', () => {
    const model = graphOf(
      [
        { op: 'ABS', inputs: [0], outputs: [3] },
        { op: 'ABS', inputs: [0], outputs: [4] },
      ],
      [3, 4],
    );
    expect(mergeEqualOperators.run(model).changes).toBe(0);
  });

  test('whose results have other types', () => {
    const model = graphOf(
      [
        { op: 'ARG_MAX', inputs: [0, 7], outputs: [8] },
        { op: 'ARG_MAX', inputs: [0, 7], outputs: [9] },
      ],
      [],
      [
        { shape: [], data: Int32Array.of(0) },
        { shape: [], type: TensorType.INT32 },
        { shape: [], type: TensorType.INT64 },
      ],
    );
    expect(mergeEqualOperators.run(model).changes).toBe(0);
    const [, , , , , , , , , second] = mainSubgraph(model).tensors;
    if (second !== undefined) second.type = TensorType.INT32;
    expect(mergeEqualOperators.run(model).changes).toBe(1);
  });

  test('one of which reads a constant where the other reads a result', () => {
    const model = graphOf(
      [{ op: 'MAXIMUM', inputs: [0, 7], outputs: [3] }, { op: 'MAXIMUM', inputs: [0, 8], outputs: [4] }, sum],
      [5],
      [{ shape: [3], data: Float32Array.of(0, 1, 2) }, { shape: [3] }],
    );
    mainSubgraph(model).inputs = Int32Array.of(0, 8);
    expect(mergeEqualOperators.run(model).changes).toBe(0);
  });

  test('that depend on state: on a variable tensor, or on resources', () => {
    const model = graphOf(
      [{ op: 'ABS', inputs: [7], outputs: [3] }, { op: 'ABS', inputs: [7], outputs: [4] }, sum],
      [5],
      [{ shape: [3] }],
    );
    expect(mergeEqualOperators.run(model).changes).toBe(1);
    const variable = mainSubgraph(model).tensors[7];
    if (variable !== undefined) variable.isVariable = true;
    expect(mergeEqualOperators.run(model).changes).toBe(0);
    const resource = graphOf(
      [{ op: 'READ_VARIABLE', inputs: [7], outputs: [3] }, { op: 'READ_VARIABLE', inputs: [7], outputs: [4] }, sum],
      [5],
      [{ shape: [], type: TensorType.RESOURCE }],
    );
    expect(mergeEqualOperators.run(resource).changes).toBe(0);
  });

  test('that nothing here knows', () => {
    const model = graphOf(
      [{ op: 'CUSTOM', inputs: [0], outputs: [3] }, { op: 'CUSTOM', inputs: [0], outputs: [4] }, sum],
      [5],
    );
    expect(mergeEqualOperators.run(model).changes).toBe(0);
  });
});
