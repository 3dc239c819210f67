import { expect, test } from 'vitest';
import {
  granularities,
  ioTypes,
  kernelProfileNames,
  rangeMethodNames,
  repairChoices,
  schemeChoices,
} from '../../../../src/app/cli/choices.js';
import { progressOn } from '../../../../src/app/cli/progress.js';
import { budgetBar, metricText, millisecondsText, table } from '../../../../src/app/report/index.js';
import { rangeMethods, repairNames, schemeNames, schemes } from '../../../../src/optimize/quantize/index.js';
import { kernelProfiles } from '../../../../src/simulator/index.js';

test('options have the values that the stages accept', () => {
  expect(kernelProfileNames).toEqual(Object.keys(kernelProfiles));
  expect(schemeChoices).toEqual(schemeNames);
  expect(rangeMethodNames).toEqual(rangeMethods);
  expect(repairChoices).toEqual(repairNames);
  expect(new Set(ioTypes)).toEqual(new Set(Object.values(schemes).flatMap(({ io }) => io)));
  expect(granularities).toEqual(['per-tensor', 'per-channel']);
});

function fakeStream(isTTY: boolean): { stream: NodeJS.WriteStream; text: () => string } {
  let written = '';
  return {
    stream: { isTTY, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream,
    text: () => written,
  };
}

test('on a terminal progress is a bar with the time left, in one line', () => {
  const { stream, text } = fakeStream(true);
  let now = 0;
  const progress = progressOn(stream, () => now);
  progress.update({ step: 'calibrate', done: 0, total: 100 });
  now = 1000;
  progress.update({ step: 'calibrate', done: 25, total: 100 });
  expect(text()).toContain('calibrate [======                  ] 25 %  3 s left');
  now = 1001;
  progress.update({ step: 'calibrate', done: 26, total: 100 });
  expect(text()).not.toContain('26 %');
  now = 4000;
  progress.update({ step: 'calibrate', done: 100, total: 100 });
  expect(text()).toContain('100 %');
  progress.end();
  expect(text()).not.toContain('\n');
  expect(text().endsWith('\x1b[2K')).toBe(true);
});

test('an upload shows bytes and their rate, from the point where it resumes', () => {
  const { stream, text } = fakeStream(true);
  let now = 0;
  const progress = progressOn(stream, () => now);
  progress.update({ step: 'upload', done: 40_000, total: 60_000, unit: 'bytes' });
  now = 2000;
  progress.update({ step: 'upload', done: 50_000, total: 60_000, unit: 'bytes' });
  expect(text()).toContain('83 %  50,000 of 60,000 B  5,000 B/s  2 s left');
});

test('in a log progress is a line now and then', () => {
  const { stream, text } = fakeStream(false);
  let now = 0;
  const progress = progressOn(stream, () => now);
  for (let done = 0; done <= 100; done++) {
    progress.update({ step: 'upload', done, total: 100 });
    now += 200;
  }
  progress.update({ step: 'confirm', done: 0, total: null });
  expect(text()).toBe('upload ...\nupload: 25 of 100\nupload: 50 of 100\nupload: 75 of 100\nconfirm ...\n');
});

test('columns of tables are aligned, numbers have units', () => {
  expect(
    table(
      [
        ['a', 10],
        ['bcd', 5],
      ],
      ['name', 'n'],
    ),
  ).toBe('name   n\n----  --\na     10\nbcd    5');
  expect(budgetBar(1, 4, 8)).toBe('[##......]');
  expect(budgetBar(9, 4, 8)).toBe('[########]');
  expect([0.01234, 1.5, 123.4].map(millisecondsText)).toEqual(['0.0123 ms', '1.50 ms', '123 ms']);
  expect([metricText('top1', 0.915), metricText('auc', 0.9), metricText('snr', 30)]).toEqual([
    '91.5 %',
    '0.9000',
    '30.00 dB',
  ]);
});
