import { describe, expect, test } from 'vitest';
import { Histogram } from '../../../../src/optimize/quantize/histogram.js';
import {
  type Calibration,
  calibrationText,
  parseCalibration,
  quantize,
} from '../../../../src/optimize/quantize/index.js';
import { chooseRange, type RangeMethod } from '../../../../src/optimize/quantize/ranges.js';
import {
  combine,
  type TensorStatistics,
  TensorStatisticsCollector,
} from '../../../../src/optimize/quantize/tensor-statistics.js';
import { denseModel, modelOf } from '../../../support/models.js';
import { memoryDataset } from '../../../support/quantizing.js';

function statisticsOf(runs: readonly (readonly number[])[]): TensorStatistics {
  const collector = new TensorStatisticsCollector(true);
  for (const run of runs) collector.add(Float32Array.from(run));
  return collector.statistics as TensorStatistics;
}

/** 40,001 values between -1 and 1, evenly spread, and one of 50. */
const withOutlier = [Array.from({ length: 40001 }, (_, i) => -1 + i / 20000), [50]];
const histogramTotal = ({ histogram }: TensorStatistics): number =>
  (histogram?.zeros ?? 0) + (histogram?.counts.reduce((sum, count) => sum + count, 0) ?? 0);

describe('ranges', () => {
  test.each([
    ['min-max', -1, 50],
    ['percentile', -1, 1],
  ] as [RangeMethod, number, number][])('%s of values with an outlier', (method, min, max) => {
    const range = chooseRange(statisticsOf(withOutlier), method);
    expect(Math.abs(range.min - min)).toBeLessThan(0.1);
    expect(Math.abs(range.max - max)).toBeLessThan(0.05 * max + 0.1);
  });

  test('percentile leaves out one value in twenty thousand at each end: of 22,000 the first and the last', () => {
    const inner = Array.from({ length: 21_996 }, (_, i) => -1 + i / 11_000);
    const { min, max } = chooseRange(statisticsOf([[...inner, -50, -40, 40, 50]]), 'percentile');
    expect([min, max].map((value) => Math.round(value))).toEqual([-40, 40]);
  });

  test('mse clips if the finer steps gain more than clipping costs, summed over all values', () => {
    const values = [...Array.from({ length: 100000 }, (_, i) => Math.tan(((i % 1999) / 2000 - 0.5) * 3)), 300];
    const statistics = statisticsOf([values]);
    const error = ({ min, max }: { min: number; max: number }): number => {
      const step = (Math.max(0, max) - Math.min(0, min)) / 255;
      return values.reduce(
        (sum, value) => sum + (Math.round(Math.min(max, Math.max(min, value)) / step) * step - value) ** 2,
        0,
      );
    };
    expect(error(chooseRange(statistics, 'mse'))).toBeLessThan(0.95 * error(chooseRange(statistics, 'min-max')));
  });

  test('moving averages weight every run, and headroom exceeds the difference between folds', () => {
    const folds = [
      [-1, 1],
      [-1, 2],
      [-1, 1],
      [-1, 4],
    ].map((run) => statisticsOf([run]));
    const all = combine(folds) as TensorStatistics;
    expect(chooseRange(all, 'moving-average')).toEqual({ min: -1, max: 2 });
    expect(chooseRange(all, 'headroom')).toEqual({ min: -1, max: 6 });
    expect(chooseRange(all, 'min-max')).toEqual({ min: -1, max: 4 });
  });

  test('entropy keeps a range of values that are evenly spread', () => {
    const { min, max } = chooseRange(statisticsOf([withOutlier[0] as number[]]), 'entropy');
    expect(max - min).toBeGreaterThan(1.9);
  });

  test('a histogram loses no value, in any order', () => {
    const small = statisticsOf([
      [0, 1e-3, -2e-3],
      [5, -7],
      [0, 0, 1e4],
    ]);
    expect(histogramTotal(small)).toBe(8);
    const sum = combine([small, statisticsOf([[0.5, 0]]), null]) as TensorStatistics;
    expect(histogramTotal(sum)).toBe(10);
    expect(sum).toMatchObject({ min: -7, max: 1e4, runs: 4 });
    expect(Histogram.sumOf([]).zeros).toBe(0);
    expect(combine([null, null])).toBeNull();
  });

  test('values that are all 0 have a range of 0 under every method', () => {
    for (const method of ['percentile', 'mse', 'entropy', 'headroom'] as const)
      expect(chooseRange(statisticsOf([[0, 0]]), method)).toMatchObject({ max: 0 });
  });
});

describe('auto', () => {
  const heavy = (seed: number, length: number): Float32Array =>
    Float32Array.from({ length }, (_, i) => Math.tan(1.45 * Math.sin(seed * 12.9898 + i * 78.233)));
  const samples = Array.from({ length: 80 }, (_, i) => [heavy(i, 4)]);

  test('has at least the SNR of min-max by its own, cross-validated measure, and reports it', async () => {
    const result = await quantize(denseModel(), [memoryDataset(samples, [[4]])], { ranges: 'auto' });
    const [report] = result.repairs;
    expect(report).toMatchObject({ name: 'choose ranges' });
    expect(report?.after).toBeGreaterThanOrEqual(report?.before ?? Infinity);
    expect(Object.values(result.rangeMethods ?? {}).reduce((sum, count) => sum + count, 0)).toBe(2);
  });

  test('tensors of one range that share no scale are chosen one by one', async () => {
    const totals = new Set<number>();
    const model = modelOf(
      [
        { name: 'x', shape: [1, 4] },
        { name: 'a', shape: [1, 4] },
        { name: 'b', shape: [1, 4] },
      ],
      [
        { op: 'RELU', inputs: [0], outputs: [1] },
        { op: 'RELU', inputs: [1], outputs: [2] },
      ],
      [0],
      [2],
    );
    await quantize(model, [memoryDataset(samples, [[4]])], {
      ranges: 'auto',
      onProgress: ({ step, total }) => {
        if (step === 'choose ranges') totals.add(total ?? 0);
      },
    });
    // Two methods for all and three tensors, then four methods for all and three tensors.
    expect([...totals]).toEqual([12]);
  });

  test('reports progress and can be stopped', async () => {
    const steps: string[] = [];
    const abort = new AbortController();
    const run = quantize(denseModel(), [memoryDataset(samples, [[4]])], {
      ranges: 'auto',
      signal: abort.signal,
      onProgress: ({ step, done, total }) => {
        steps.push(step);
        expect(done).toBeLessThanOrEqual(total ?? 0);
        if (step === 'choose ranges') abort.abort(new Error('enough'));
      },
    });
    await expect(run).rejects.toThrow('enough');
    expect(new Set(steps)).toEqual(new Set(['calibrate', 'choose ranges']));
  });
});

describe('saved statistics', () => {
  const samples = Array.from({ length: 40 }, (_, i) => [
    Float32Array.from({ length: 4 }, (_, k) => Math.sin(i * 1.7 + k)),
  ]);
  const data = memoryDataset(samples, [[4]]);

  test('give the same model as calibrating again, by any method', async () => {
    const { calibration } = await quantize(denseModel(), [data], { histograms: true });
    const saved = parseCalibration(calibrationText(calibration as Calibration), 'saved.json');
    expect(saved).toEqual(calibration);
    for (const ranges of ['min-max', 'mse', 'percentile'] as const) {
      const [again, reused] = [
        await quantize(denseModel(), [data], { ranges }),
        await quantize(denseModel(), [], { ranges, calibration: saved }),
      ];
      expect(Buffer.compare(again.bytes, reused.bytes)).toBe(0);
    }
  });

  test('of another model, without histograms, or damaged, are refused', async () => {
    const { calibration } = await quantize(denseModel(), [data]);
    const known = calibration as Calibration;
    await expect(quantize(denseModel([1, 2, 3, 4, 5, 6, 7, 8]), [], { calibration: known })).rejects.toMatchObject({
      code: 'CALIBRATION_MISMATCH',
    });
    await expect(quantize(denseModel(), [], { calibration: known, ranges: 'mse' })).rejects.toThrow(/needs histograms/);
    await expect(
      quantize(denseModel(), [], { calibration: known, repairs: ['bias-correction'] }),
    ).rejects.toMatchObject({ code: 'CALIBRATION_EMPTY' });
    const edited = (change: (text: string) => string) =>
      parseCalibration(change(calibrationText(known)), 'edited.json');
    expect(() => edited((text) => text.replace(/"min":[^,]*,"max":/, '"min":5,"max":-'))).toThrow(
      /smallest value above the largest/,
    );
    expect(() => edited((text) => text.replace(/"max":[^,]*/, '"max":1e308'))).toThrow(/beyond float32/);
    const short = {
      ...known,
      subgraphs: known.subgraphs.map((subgraph) => ({ ...subgraph, tensors: subgraph.tensors.slice(1) })),
    };
    await expect(quantize(denseModel(), [], { calibration: short })).rejects.toThrow(/one entry for each tensor/);
    expect(() => parseCalibration('{', 'broken.json')).toThrow(/broken.json is not JSON/);
    expect(() => parseCalibration(calibrationText(known).replace('"runs":40', '"runs":-1'), 'edited.json')).toThrow(
      /edited.json, subgraphs.0/,
    );
  });
});
