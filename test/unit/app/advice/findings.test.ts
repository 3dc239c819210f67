// Findings of checks and comparisons, worded.

import { expect, test } from 'vitest';
import { withHints } from '../../../../src/app/advice/check-advice.js';
import { withActions } from '../../../../src/app/advice/compare-advice.js';
import { suggestionText } from '../../../../src/app/advice/suggestion-text.js';
import { checkModel, loadTarget } from '../../../../src/targets/index.js';
import { denseModel } from '../../../support/models.js';

test('each reason of a check has a hint, and keeps its code', async () => {
  const result = checkModel(denseModel(), await loadTarget('nano33ble'), 2 ** 30);
  const { reasons } = withHints(result);
  expect(reasons.map(({ code }) => code)).toEqual(['FLOAT', 'FLASH']);
  expect(reasons[0]).toMatchObject({ hint: expect.stringContaining('atoll quantize') });
  expect(reasons[1]).toMatchObject({ hint: expect.stringContaining('smaller model') });
});

test('the action for a tensor names the operator that causes the error', () => {
  const tensor = { name: 't', op: 'SOFTMAX', operator: 3 };
  const diagnosis = { cause: 'inherited', input: { op: 'CONV_2D', operator: 2 }, saturation: 0 } as const;
  const [advised] = withActions([{ ...tensor, diagnosis }]);
  expect(advised).toMatchObject({ name: 't', advice: { cause: 'inherited' } });
  expect(advised?.advice.action).toContain('operator 2 CONV_2D');
  const [first] = withActions([{ ...tensor, diagnosis: { ...diagnosis, input: { op: null, operator: null } } }]);
  expect(first?.advice.action).toContain('the input');
  const [clamped] = withActions([{ ...tensor, diagnosis: { cause: 'clamped', input: null, saturation: 0.25 } }]);
  expect(clamped?.advice.action).toMatch(/25\.0 % .* --ranges headroom/);
});

test('suggestions are noun phrases', () => {
  const input = { kind: 'smaller-input', from: [160, 120], to: [80, 60] } as const;
  const measured = { arenaBytes: 1, fits: true };
  expect(suggestionText({ ...input, ...measured })).toMatch(/an input of 80 x 60 instead of 160 x 120/);
  expect(suggestionText({ kind: 'together', changes: [{ kind: 'int8' }, input], ...measured })).toMatch(
    /^int8 instead of int16 .*, and an input of 80 x 60/,
  );
  expect(suggestionText({ kind: 'other-target', target: 'pico', name: 'Raspberry Pi Pico', ...measured })).toBe(
    'pico (Raspberry Pi Pico)',
  );
});
