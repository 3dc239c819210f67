// Interoperability as software says that is not ours: the Python package smpclient against the devices that we serve.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { sha256Hex } from '../../src/base/hashes.js';
import { type DeviceProcess, simulateDevice } from '../support/device-process.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { buildFirmware, posixDevice } from '../support/firmware.js';
import { smpPython, toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const file = Uint8Array.from({ length: 20_000 }, (_, i) => (i * i) >> 3);
writeFiles(folder, { 'file.bin': file });

/** What the client makes of a device. */
async function tell(device: DeviceProcess): Promise<object> {
  try {
    const args = ['test/integration/public-client.py', device.uri, `${folder}/file.bin`];
    const { stdout } = await promisify(execFile)(smpPython, args, { timeout: 50_000 });
    return JSON.parse(stdout) as object;
  } finally {
    await device.stop();
  }
}

const told = {
  echo: 'hello',
  len: file.byteLength,
  sha256: sha256Hex(file),
  stats: expect.objectContaining({ inferences: 0, resets: 0 }),
};

toolTest('smpclient', 'socat').each([
  ['pty', 2048],
  ['pty', 384],
  ['udp:0', 2048],
])(
  'smpclient and a simulated device over %s, packets of %d bytes: echo, params, upload, status, hash, statistics',
  async (where, buffer) => {
    expect(await tell(await simulateDevice('--target', 'pico', '--listen', where, '--buffer', String(buffer)))).toEqual(
      { ...told, params: [buffer, 4] },
    );
  },
);

toolTest('smpclient', 'gcc', 'make').each([['pty'], ['udp:0']])(
  'smpclient and the C implementation over %s: the same',
  async (where) => {
    await buildFirmware('posix');
    expect(await tell(await posixDevice(where))).toEqual({ ...told, params: [2048, 1] });
  },
);
