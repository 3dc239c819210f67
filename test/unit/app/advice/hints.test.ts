import { describe, expect, test } from 'vitest';
import { flashHints, silenceHints, statusHints } from '../../../../src/app/advice/device-hints.js';
import { hintFor, hints } from '../../../../src/app/advice/hints.js';
import { AtollError, type ErrorCode, errorTable, fail } from '../../../../src/base/errors.js';
import { AtollStatus, FileStatus, OsStatus, SmpStatus } from '../../../../src/devices/protocol/status.js';

const codes = Object.keys(errorTable) as ErrorCode[];

test.each(codes)('%s has a hint that needs no other values than the error has', (code) => {
  const { message, advice = [] } = errorTable[code] as { message: string; advice?: readonly string[] };
  const names = [...[...message.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string), ...advice];
  const causes = { silence: 'nothing', cause: 'locked', name: 'EBUSY', kind: 'pytorch' };
  const values = Object.fromEntries(names.map((name) => [name, `<${name}>`]));
  const hint = hintFor(new AtollError(code, { ...values, ...causes }));
  expect(hint).not.toMatch(/[{}]|undefined/);
  expect(hint.length).toBeGreaterThan(10);
  for (const name of advice) if (!(name in causes)) expect(hint).toContain(`<${name}>`);
});

test('there is no hint for a code that does not exist', () => {
  expect(Object.keys(hints).sort()).toEqual([...codes].sort());
});

describe('hints of devices', () => {
  test('a status that a device returns is explained by its name', () => {
    const error = (name: string) => fail('DEVICE_ERROR', { command: 'run', name, group: 16724, rc: 3, detail: '' });
    expect(hintFor(error('NO_MODEL'))).toContain('atoll push');
    expect(hintFor(error('CODE_OF_ANOTHER_VENDOR'))).toContain('firmware-protocol/README.md');
  });

  test('every explained status exists', () => {
    const known = new Set([SmpStatus, OsStatus, FileStatus, AtollStatus].flatMap((table) => Object.keys(table)));
    expect(Object.keys(statusHints).filter((name) => !known.has(name))).toEqual([]);
  });

  test.each(Object.entries(silenceHints))('no answer, since the line carries: %s', (silence, text) => {
    const values = { command: 'echo', timeoutMs: 1, attempts: 1, seen: '', silence };
    expect(hintFor(fail('DEVICE_TIMEOUT', values))).toBe(text);
  });

  test.each(Object.entries(flashHints))('a flashing program failed: %s', (cause, text) => {
    const values = { program: 'esptool', reason: 'x', cause, command: 'esptool --port X' };
    expect(hintFor(fail('FLASH_PROGRAM', values))).toBe(`${text}; the command was: esptool --port X`);
  });
});
