import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limitFile } from '../../../../src/devices/client/index.js';
import { temporaryFolder } from '../../../support/files.js';

test('learned limits are used in the next run, for 30 days', async () => {
  const file = `${temporaryFolder()}/state/devices.json`;
  const limit = { maxPacketBytes: 182, pauseMs: 5 };
  expect(limitFile(file).recall('serial:/dev/ttyACM0 380x4')).toBeNull();
  await limitFile(file).remember('serial:/dev/ttyACM0 380x4', limit);
  expect(limitFile(file).recall('serial:/dev/ttyACM0 380x4')).toEqual(limit);
  expect(limitFile(file).recall('serial:/dev/ttyACM0 380x2')).toBeNull();
  expect(limitFile(file, () => Date.now() + 31 * 24 * 3600 * 1000).recall('serial:/dev/ttyACM0 380x4')).toBeNull();
});

test('a damaged file is replaced, and a read-only folder is not an error', async () => {
  const folder = temporaryFolder();
  const file = `${folder}/devices.json`;
  writeFileSync(file, '{"a": {"maxPacketBytes": "x"}}');
  expect(limitFile(file).recall('a')).toBeNull();
  await limitFile(file).remember('a', { maxPacketBytes: 90, pauseMs: 0 });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ a: { maxPacketBytes: 90 } });
  await limitFile('/proc/none/devices.json').remember('a', { maxPacketBytes: 90, pauseMs: 0 });
  expect(existsSync('/proc/none')).toBe(false);
});
