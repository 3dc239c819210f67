import { describe, expect, test } from 'vitest';
import { quantizeCommand } from '../../../src/app/advice/quantize-command.js';
import { advisePage, adviseReport } from '../../../src/app/report/index.js';
import type { Dataset } from '../../../src/data/index.js';
import { advise } from '../../../src/optimize/advise.js';
import { schemeNames } from '../../../src/optimize/quantize/index.js';
import { loadTarget } from '../../../src/targets/index.js';
import { denseModel, wideModel } from '../../support/models.js';
import { memoryDataset } from '../../support/quantizing.js';

const waves = (phase: number): Float32Array =>
  Float32Array.from({ length: 4 }, (_, i) => Math.sin(phase * 1.7 + i * 2.3));
const samples = Array.from({ length: 60 }, (_, i) => [waves(i)]);
const data = memoryDataset(samples, [[4]]);
/** Labels as the float model gives them: w x + b, two classes. */
const labelled: Dataset = {
  ...data,
  task: 'classification',
  metric: 'top1',
  hasLabels: true,
  samples: async function* (limit) {
    for await (const sample of data.samples(limit)) {
      const [a, b, c, d] = sample.inputs[0] as unknown as [number, number, number, number];
      yield { ...sample, label: 0.5 * a - b + 0.25 * c + 2 * d + 0.5 >= a + b - 2 * c + 0.125 * d - 0.25 ? 0 : 1 };
    }
  },
};

describe('advise', () => {
  test(
    'with labels: every scheme is tried, only those that the ' + 'target takes fit, one of them is recommended',
    async () => {
      const result = await advise(denseModel(), await loadTarget('nano33ble'), labelled, [data]);
      expect(result.trials.map(({ candidate }) => candidate.name)).toEqual([...schemeNames, 'int8, repaired']);
      expect(result.float).toEqual({ metric: 'top1', value: 1, samples: 60 });
      const fitting = result.trials.filter(({ fits }) => fits).map(({ candidate }) => candidate.scheme);
      expect(new Set(fitting)).toEqual(new Set(['int8', 'int16x8']));
      for (const { fits, reasons, accuracy } of result.trials) {
        expect(reasons.length > 0).toBe(!fits);
        expect(accuracy?.metric).toBe('top1');
      }
      const chosen = result.trials.find(({ candidate }) => candidate.name === result.recommended);
      expect(chosen).toMatchObject({ fits: true, onFront: true });
      expect(chosen?.drop).toBeLessThanOrEqual(0.01);
    },
  );

  test(
    'without labels the nearness of the outputs decides; without ' + 'calibration data only what needs none is tried',
    async () => {
      const result = await advise(denseModel(), await loadTarget('nano33ble'), data, []);
      expect(result.trials.map(({ candidate }) => candidate.scheme)).toEqual(['float32', 'float16', 'dynamic-range']);
      expect(result.float.metric).toBe('signal to noise');
      expect(result).toMatchObject({ recommended: null, why: expect.stringContaining('no scheme') });
    },
  );

  test('limits that no candidate meets are reported, and the nearest candidate is named', async () => {
    const result = await advise(denseModel(), await loadTarget('nano33ble'), labelled, [data], { maxMs: 1e-9 });
    expect(result.recommended).not.toBeNull();
    expect(result.why).toMatch(/no fitting candidate is within the limits/);
  });

  test('a model that is int8 already, and too large for the board, still gets a table', async () => {
    const big = memoryDataset(
      Array.from({ length: 2 }, () => [new Float32Array(25600)]),
      [[160, 160, 1]],
    );
    const result = await advise(wideModel(), await loadTarget('nano33ble'), big, [big]);
    expect(result.recommended).toBeNull();
    expect(result.trials.every(({ fits, reasons }) => !fits && reasons.length > 0)).toBe(true);
  });

  test('it reports progress and can be stopped', async () => {
    const abort = new AbortController();
    const run = advise(denseModel(), await loadTarget('nano33ble'), labelled, [data], {
      signal: abort.signal,
      onProgress: ({ step }) => {
        if (step.startsWith('int8')) abort.abort(new Error('enough'));
      },
    });
    await expect(run).rejects.toThrow('enough');
  });

  test('the report, the page and the command', async () => {
    const result = await advise(denseModel(), await loadTarget('nano33ble'), labelled, [data]);
    const text = adviseReport(result, 'atoll quantize ...');
    for (const scheme of schemeNames) expect(text).toContain(scheme);
    expect(text).toMatch(/^> int/m);
    const page = advisePage(result, null);
    expect(page.match(/<circle/g)).toHaveLength(3);
    expect(page).toContain('float model');
    const repaired = result.trials.at(-1)?.candidate;
    expect(repaired && quantizeCommand(repaired, 'm.tflite', 'c.yaml', 'o.tflite')).toBe(
      'atoll quantize m.tflite --calibrate c.yaml --ranges auto --repair all -o o.tflite',
    );
  });
});
