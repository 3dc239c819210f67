import { expect, test } from 'vitest';
import { AtollError, type ErrorCode, errorTable, fail } from '../../../src/base/errors.js';

const codes = Object.keys(errorTable) as ErrorCode[];

test.each(codes)('%s renders its message with every value', (code) => {
  const names = [...errorTable[code].message.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);
  const error = new AtollError(code, Object.fromEntries(names.map((name) => [name, `<${name}>`])));
  expect(error.message).not.toMatch(/[{}]/);
  for (const name of names) expect(error.message).toContain(`<${name}>`);
});

test('exit codes follow the kind of error, and the cause is kept', () => {
  const cause = new Error('first');
  const error = fail('TFLITE_NOT_A_MODEL', { where: 'a.tflite', reason: 'empty' }, cause);
  expect(error.exitCode).toBe(3);
  expect(error.cause).toBe(cause);
  expect(error.where).toBe('a.tflite');
  expect(fail('USAGE', { reason: 'x' }).exitCode).toBe(2);
  expect(fail('MODEL_DOES_NOT_FIT', { target: 't', reasons: 'r' }).exitCode).toBe(1);
  expect(fail('DEVICE_CLOSED', { device: 'd', reason: 'r' }).exitCode).toBe(4);
  expect(fail('INTERNAL', { reason: 'r' }).exitCode).toBe(5);
  expect(fail('INTERRUPTED', {}).exitCode).toBe(130);
});
