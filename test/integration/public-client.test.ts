// Interoperability as software says that is not ours: the Python package smpclient against the devices that we serve.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { hex, sha256 } from '../../src/bundle/index.js';
import { simulateDevice } from '../support/device-process.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { smpPython, toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const file = Uint8Array.from({ length: 20_000 }, (_, i) => (i * i) >> 3);
writeFiles(folder, { 'file.bin': file });

toolTest('smpclient', 'socat').each([
  ['pty', 2048],
  ['pty', 384],
  ['udp:0', 2048],
])('smpclient over %s, packets of %d bytes: echo, params, upload, status, hash, statistics', async (where, buffer) => {
  const device = await simulateDevice('--target', 'pico', '--listen', where, '--buffer', String(buffer));
  try {
    const { stdout } = await promisify(execFile)(smpPython, ['test/integration/public-client.py', device.uri, `${folder}/file.bin`], { timeout: 50_000 });
    expect(JSON.parse(stdout)).toEqual({
      echo: 'hello',
      params: [buffer, 4],
      len: file.byteLength,
      sha256: hex(sha256(file)),
      stats: { inferences: 0, selftests_passed: 0, selftests_failed: 0, resets: 0 },
    });
  } finally {
    expect(await device.stop()).toBe(0);
  }
});
