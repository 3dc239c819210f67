import { describe, expect, test } from 'vitest';
import { type Model, mainSubgraph, operatorName } from '../../../../src/formats/tflite/index.js';
import { absorbNegations } from '../../../../src/optimize/passes/absorb-negations.js';
import { modelOf, type OperatorSpec } from '../../../support/models.js';
import { signalToNoise } from '../../../support/quantizing.js';
import { productOptions, sumOptions } from '../../../support/small-graphs.js';

const samples = [
  [Float32Array.of(1, -2, 3), Float32Array.of(0.5, 4, -1)],
  [Float32Array.of(-7, 0.25, 2), Float32Array.of(3, 1, 9)],
];

/** Inputs 0 and 1; tensors 2, 3, 4 in between, 5 is the output. All of three elements. */
function graphOf(operators: readonly OperatorSpec[], outputs: readonly number[] = [5]): Model {
  return modelOf(
    Array.from({ length: 6 }, () => ({ shape: [3] })),
    operators,
    [0, 1],
    outputs,
  );
}

const names = (model: Model): string[] =>
  mainSubgraph(model).operators.map((operator) => operatorName(model, operator));
const negation: OperatorSpec = { op: 'NEG', inputs: [0], outputs: [2] };

function expectSame(model: Model, expected: readonly string[]): Model {
  const { model: changed, changes } = absorbNegations.run(model);
  expect(changes).toBe(1);
  expect(names(changed)).toEqual(expected);
  expect(signalToNoise(model, changed, samples)).toBe(Number.POSITIVE_INFINITY);
  expect(names(model)).toContain('NEG');
  return changed;
}

describe('a negation before a sum', () => {
  test.each([
    ['second', [1, 2]],
    ['first', [2, 1]],
  ])('as its %s summand makes it a difference', (_, inputs) => {
    const changed = expectSame(
      graphOf([negation, { op: 'ADD', inputs, outputs: [5], options: sumOptions('AddOptions', 1) }]),
      ['SUB'],
    );
    const [difference] = mainSubgraph(changed).operators;
    expect(difference?.inputs).toEqual(Int32Array.of(1, 0));
    expect(difference?.builtinOptions).toMatchObject({ kind: 'SubOptions', fusedActivationFunction: 1 });
  });

  test('that is subtracted makes the difference a sum', () => {
    const changed = expectSame(
      graphOf([negation, { op: 'SUB', inputs: [1, 2], outputs: [5], options: sumOptions('SubOptions') }]),
      ['ADD'],
    );
    expect(mainSubgraph(changed).operators[0]?.builtinOptions).toMatchObject({ kind: 'AddOptions' });
  });

  test('passes through products', () => {
    expectSame(
      graphOf([
        negation,
        { op: 'MUL', inputs: [2, 1], outputs: [3], options: productOptions() },
        { op: 'MUL', inputs: [1, 3], outputs: [4], options: productOptions() },
        { op: 'ADD', inputs: [4, 0], outputs: [5], options: sumOptions('AddOptions') },
      ]),
      ['MUL', 'MUL', 'SUB'],
    );
    expectSame(
      graphOf([
        negation,
        { op: 'MUL', inputs: [1, 2], outputs: [3], options: productOptions() },
        { op: 'SUB', inputs: [0, 3], outputs: [5], options: sumOptions('SubOptions') },
      ]),
      ['MUL', 'ADD'],
    );
  });
});

describe('a negation stays', () => {
  const add = (inputs: readonly number[]): OperatorSpec => ({
    op: 'ADD',
    inputs,
    outputs: [5],
    options: sumOptions('AddOptions'),
  });
  test.each<[string, Model]>([
    [
      'if something is subtracted from it',
      graphOf([negation, { ...add([2, 1]), op: 'SUB', options: sumOptions('SubOptions') }]),
    ],
    ['if it is added to itself', graphOf([negation, add([2, 2])])],
    [
      'if it is squared',
      graphOf([negation, { op: 'MUL', inputs: [2, 2], outputs: [3], options: productOptions() }, add([3, 1])]),
    ],
    [
      'before a product with an activation',
      graphOf([negation, { op: 'MUL', inputs: [2, 1], outputs: [3], options: productOptions(1) }, add([3, 1])]),
    ],
    ['if another operator reads it', graphOf([negation, { op: 'RELU', inputs: [2], outputs: [3] }, add([2, 3])])],
    [
      'if another operator reads the product',
      graphOf([
        negation,
        { op: 'MUL', inputs: [2, 1], outputs: [3], options: productOptions() },
        { op: 'RELU', inputs: [3], outputs: [4] },
        add([3, 4]),
      ]),
    ],
    ['if it is an output', graphOf([negation, add([1, 2])], [5, 2])],
    ['before other operators', graphOf([negation, { op: 'RELU', inputs: [2], outputs: [5] }])],
  ])('%s', (_, model) => {
    const { model: same, changes } = absorbNegations.run(model);
    expect(changes).toBe(0);
    expect(same).toBe(model);
  });
});

test('a second negation of the same sum brings the sum back', () => {
  const model = graphOf([
    negation,
    { op: 'NEG', inputs: [1], outputs: [3] },
    { op: 'ADD', inputs: [2, 3], outputs: [5], options: sumOptions('AddOptions') },
  ]);
  const { model: changed } = absorbNegations.run(model);
  expect(signalToNoise(model, changed, samples)).toBe(Number.POSITIVE_INFINITY);
  expect(names(changed)).toEqual(['NEG', 'SUB']);
});
