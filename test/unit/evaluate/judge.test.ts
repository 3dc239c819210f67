import { describe, expect, test } from 'vitest';
import type { Dataset, Metric, Sample } from '../../../src/data/index.js';
import { Judge } from '../../../src/evaluate/judge.js';

const dataset = (changes: Partial<Dataset> = {}): Dataset =>
  ({
    name: 'd',
    path: 'd.yaml',
    task: 'classification',
    classes: null,
    windows: null,
    hasLabels: true,
    hasTargets: false,
    ...changes,
  }) as Dataset;
const sample = (label: number | null, targets: readonly Float32Array[] | null = null, index = 0): Sample =>
  ({ index, label, targets, inputs: [], continues: false }) as unknown as Sample;
const run = (...output: number[]) => [{ input: new Float32Array(0), output: Float32Array.from(output) }];

function metricFor(metric: Metric, samples: readonly (readonly [label: number, output: readonly number[]])[]): number {
  const judge = new Judge(dataset(), metric, samples[0]?.[1].length ?? 0);
  for (const [label, output] of samples) judge.add(sample(label), run(...output));
  return judge.value();
}

describe('classification', () => {
  test('top-1 and top-5', () => {
    expect(
      metricFor('top1', [
        [0, [2, 1, 0]],
        [1, [2, 1, 0]],
        [2, [0, 1, 2]],
        [0, [1, 1, 0]],
      ]),
    ).toBe(0.75);
    const six = [6, 5, 4, 3, 2, 1];
    expect(
      metricFor('top5', [
        [4, six],
        [5, six],
      ]),
    ).toBe(0.5);
  });

  test('a single output is the probability of class 1, above one half', () => {
    expect(
      metricFor('top1', [
        [1, [0.51]],
        [1, [0.5]],
        [0, [0.5]],
        [0, [0]],
        [1, [1]],
      ]),
    ).toBe(0.8);
    expect(
      metricFor('top5', [
        [0, [0.9]],
        [1, [0.1]],
      ]),
    ).toBe(1);
    for (const wrong of [-0.01, 1.01])
      expect(() => metricFor('top1', [[1, [wrong]]])).toThrow('the only output of the model is');
    // A score need not be a probability.
    expect(
      metricFor('auc', [
        [0, [-7]],
        [1, [12]],
      ]),
    ).toBe(1);
  });

  test('the area under the curve takes the last output as the score', () => {
    // scikit-learn: roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) = 0.75
    expect(
      metricFor('auc', [
        [0, [0.9, 0.1]],
        [0, [0.6, 0.4]],
        [1, [0.65, 0.35]],
        [1, [0.2, 0.8]],
      ]),
    ).toBe(0.75);
    expect(() =>
      metricFor('auc', [
        [0, [1]],
        [0, [0.5]],
      ]),
    ).toThrow('needs samples with label 0 and samples with other labels');
    expect(() =>
      metricFor('auc', [
        [1, [1]],
        [1, [0.5]],
      ]),
    ).toThrow('needs samples with label 0');
  });

  test('the confusion matrix has a row for each label', () => {
    const judge = new Judge(dataset({ classes: ['a', 'b', 'c'] }), 'top1', 3);
    for (const [label, output] of [
      [0, [1, 0, 0]],
      [0, [0, 1, 0]],
      [2, [0, 0, 1]],
      [2, [0, 0, 1]],
    ] as const)
      judge.add(sample(label), run(...output));
    expect(judge.count).toBe(4);
    expect(judge.scores.map(({ predicted }) => predicted)).toEqual([0, 1, 2, 2]);
    expect(judge.confusion()).toEqual({
      matrix: [
        [1, 1, 0],
        [0, 0, 0],
        [0, 0, 2],
      ],
      classes: ['a', 'b', 'c'],
    });
    expect(new Judge(dataset(), 'top1', 1000).confusion()?.matrix).toHaveLength(1000);
    expect(new Judge(dataset(), 'top1', 1001).confusion()).toBeNull();
    expect(new Judge(dataset({ task: 'none' }), 'top1', 3).confusion()).toBeNull();
    expect(new Judge(dataset(), 'top1', 1).confusion()?.matrix).toHaveLength(2);
  });

  test('labels must be classes of the model', () => {
    const judge = new Judge(dataset(), 'top1', 3);
    expect(() => judge.add(sample(3, null, 7), run(1, 0, 0))).toThrow(
      'sample 7 has label 3, but the model has 3 classes',
    );
    expect(() => judge.add(sample(2), run(1, 0, 0))).not.toThrow();
    expect(() => new Judge(dataset({ classes: ['a', 'b'] }), 'top1', 3)).toThrow(
      'the labels have 2 classes, the model has 3 outputs',
    );
    expect(() => new Judge(dataset({ classes: ['a', 'b'] }), 'top1', 1)).not.toThrow();
    // Anomalies are labelled, but their label is no output.
    const anomaly = new Judge(dataset({ task: 'anomaly', classes: ['a', 'b', 'c'] }), 'auc', 2);
    expect(() => anomaly.add(sample(5), run(1, 0))).not.toThrow();
  });
});

describe('errors', () => {
  const withTargets = dataset({ task: 'regression', hasLabels: false, hasTargets: true });

  test('mean squared error and signal-to-noise ratio are over all values of all samples', () => {
    for (const [metric, expected] of [
      ['mse', (1 + 4 + 9 + 0) / 4],
      ['snr', 10 * Math.log10((1 + 4 + 9 + 16) / 14)],
    ] as const) {
      const judge = new Judge(withTargets, metric, 2);
      judge.add(sample(null, [Float32Array.of(1, 2)]), run(2, 0));
      judge.add(sample(null, [Float32Array.of(3, 4)]), run(0, 4));
      expect(judge.value()).toBeCloseTo(expected, 12);
      expect(judge.scores[0]).toMatchObject({ signal: 5, error: 5, elements: 2, score: 0, hit: false, label: null });
    }
  });

  test('targets have the length of the output', () => {
    const judge = new Judge(withTargets, 'mse', 2);
    expect(() => judge.add(sample(null, [Float32Array.of(1)]), run(2, 0))).toThrow(
      '1 target values for an output of 2',
    );
  });
});

describe('windows', () => {
  const windows = (aggregate: 'mean' | 'max') =>
    dataset({
      task: 'anomaly',
      windows: { length: 2, stride: 2, score: 'mse', aggregate } as unknown as NonNullable<Dataset['windows']>,
    });
  const runs = [
    { input: Float32Array.of(1, 1), output: Float32Array.of(1, 3) },
    { input: Float32Array.of(0, 0), output: Float32Array.of(0, 6) },
  ];

  test('are scored by the error of each, on average or at most', () => {
    for (const [aggregate, expected] of [
      ['mean', (2 + 18) / 2],
      ['max', 18],
    ] as const) {
      const judge = new Judge(windows(aggregate), 'auc', 2);
      judge.add(sample(1), runs);
      expect(judge.scores[0]?.score).toBe(expected);
    }
  });

  test('need neither labels nor targets for an error, and any number of outputs', () => {
    expect(() => new Judge({ ...windows('mean'), hasLabels: false }, 'mse', 2)).not.toThrow();
    expect(() => new Judge(windows('mean'), 'auc', 9)).not.toThrow();
  });
});

describe('a metric needs', () => {
  test.each<[string, Metric, Partial<Dataset>, number]>([
    ['metric top1 needs labels', 'top1', { hasLabels: false }, 2],
    ['metric top5 needs labels', 'top5', { hasLabels: false }, 2],
    ['metric auc needs labels', 'auc', { hasLabels: false }, 2],
    ['metric mse needs targets', 'mse', {}, 2],
    ['metric snr needs targets', 'snr', {}, 2],
    ['metric auc needs one or two outputs, or windows; the model has 3', 'auc', {}, 3],
  ])('%s', (message, metric, changes, outputs) => {
    expect(() => new Judge(dataset(changes), metric, outputs)).toThrow(message);
  });

  test('samples, and outputs that are numbers', () => {
    const judge = new Judge(dataset(), 'top1', 2);
    expect(() => judge.value()).toThrow('it has no samples');
    expect(() => judge.add(sample(0, null, 3), run(1, Number.NaN))).toThrow(
      expect.objectContaining({ code: 'OUTPUT_NOT_A_NUMBER' }),
    );
  });
});
