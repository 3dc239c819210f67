// SMP clients of others run their read-only commands against both implementations of the device: the simulated one and
// the C library.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect } from 'vitest';
import { sha256Hex } from '../../src/base/hashes.js';
import { buildSlotImage } from '../../src/devices/bundle/index.js';
import { push } from '../../src/devices/client/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { peerFolder } from '../peers/folder.js';
import { type DeviceProcess, simulateDevice } from '../support/device-process.js';
import { temporaryFolder } from '../support/files.js';
import { buildFirmware, posixDevice } from '../support/firmware.js';
import { int8Dense } from '../support/models.js';
import { type Tool, toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const active = '/atoll/active';
const model = int8Dense(500, 3);
const groupNames = ['os mgmt', 'stat mgmt', 'fs mgmt', 'enum mgmt', 'atoll'];

interface Kind {
  readonly name: string;
  readonly tools: readonly Tool[];
  readonly start: (where: string) => Promise<DeviceProcess>;
}
const kinds: readonly Kind[] = [
  {
    name: 'the simulated device',
    tools: ['socat'],
    start: (where) => simulateDevice('--target', 'pico', '--listen', where),
  },
  {
    name: 'the C library',
    tools: ['gcc', 'make'],
    start: async (where) => {
      await buildFirmware('posix');
      return posixDevice(where);
    },
  },
];

/** A program of others that was installed. @returns its path. @throws where it is absent */
function peer(name: string, ...place: readonly string[]): string {
  const file = path.join(peerFolder, name, ...place);
  if (!existsSync(file)) throw new Error(`there is no ${file}: node test/peers/install.js clients`);
  return file;
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, args, {
    timeout: 30_000,
    env: { ...process.env, COLUMNS: '200', NO_COLOR: '1', TERM: 'dumb' },
  });
  return `${stdout}\n${stderr}`;
}

/** With a model that runs. @returns the device and its image */
async function withModel(
  { start }: Kind,
  where: string,
): Promise<{ readonly device: DeviceProcess; readonly image: Uint8Array }> {
  const device = await start(where);
  const client = await openDevice(device.uri);
  const described = await client.describe();
  const image = buildSlotImage(writeModel(model), model, await loadTarget(described.target));
  await push(client, image);
  await client.close();
  return { device, image };
}

describe.each(kinds)('$name', (kind) => {
  const run = toolTest(...kind.tools);

  run('smpmgr over a serial line', async () => {
    const { device, image } = await withModel(kind, 'pty');
    const smpmgr = peer('smp-clients', 'bin', 'smpmgr');
    const ask = (...args: string[]) =>
      output(smpmgr, ['--port', device.uri.replace('serial:', ''), '--timeout', '5', ...args]);
    try {
      expect(await ask('os', 'echo', 'hello')).toContain('hello');
      expect(await ask('file', 'get-supported-hash-types')).toMatch(/sha256/);
      expect(await ask('file', 'read-size', active)).toContain(String(image.byteLength));
      // It prints the hash as Python's bytes; the copy that it downloads says more.
      expect((await ask('file', 'get-hash', active)).replaceAll(/\s/g, '')).toContain(
        `type='sha256',off=None,len=${image.byteLength},`,
      );
      const copy = path.join(folder, 'copy.bin');
      await ask('file', 'download', active, copy);
      expect(Buffer.compare(readFileSync(copy), image)).toBe(0);
      expect(await ask('enum', 'get-supported-groups')).toMatch(/16724/);
      const details = await ask('enum', 'get-group-details', '0', '2', '8', '10', '16724');
      for (const name of groupNames) expect(details).toContain(name);
      expect(await ask('statistics', 'list')).toContain('atoll');
      expect(await ask('statistics', 'get', 'atoll')).toMatch(/inferences/);
    } finally {
      await device.stop();
    }
  });

  run.each([['pty'], ['udp:0']])('mcumgr-toolkit over %s', async (where) => {
    const { device, image } = await withModel(kind, where);
    try {
      const python = peer('smp-clients', 'bin', 'python');
      const { stdout } = await promisify(execFile)(python, ['test/clients/toolkit.py', device.uri, active], {
        timeout: 50_000,
      });
      expect(JSON.parse(stdout)).toMatchObject({
        check: null,
        echo: 'hello',
        params: { buf_size: 2048 },
        info: expect.stringContaining('Atoll'),
        groups: [0, 2, 8, 10, 16724],
        count: 5,
        first: 0,
        details: expect.arrayContaining(groupNames.map((name) => expect.objectContaining({ name }))),
        stats: ['atoll'],
        atoll: expect.objectContaining({ inferences: expect.any(Number) }),
        status: { length: image.byteLength },
        checksum: { output: sha256Hex(image) },
        checksums: expect.objectContaining({ sha256: expect.anything(), crc32: expect.anything() }),
        // What a device of this kind has not, is refused, not left without an answer.
        tasks: { error: expect.stringMatching(/ENOTSUP/i) },
        bootloader: { error: expect.stringMatching(/ENOTSUP/i) },
        images: { error: expect.stringMatching(/ENOTSUP/i) },
      });
    } finally {
      await device.stop();
    }
  });

  run('mcumgrctl over UDP', async () => {
    const { device, image } = await withModel(kind, 'udp:0');
    const mcumgrctl = peer('mcumgrctl', 'bin', 'mcumgrctl');
    const ask = async (...args: string[]) =>
      output(mcumgrctl, ['--udp', device.uri.replace('udp:', ''), '--timeout', '5000', '--json', ...args]);
    try {
      expect(await ask('os', 'echo', 'hello')).toContain('hello');
      expect(await ask('os', 'mcumgr-parameters')).toMatch(/2048/);
      expect(await ask('os', 'application-info')).toMatch(/Atoll/);
      expect(await ask('stats', 'list-groups')).toContain('atoll');
      expect(await ask('stats', 'get', 'atoll')).toMatch(/inferences/);
      expect(await ask('fs', 'status', active)).toContain(String(image.byteLength));
      expect(await ask('fs', 'checksum', active, 'sha256')).toContain(sha256Hex(image));
      expect(await ask('fs', 'supported-checksums')).toMatch(/crc32/);
      const copy = path.join(folder, 'copy-of-ctl.bin');
      await ask('fs', 'download', active, copy);
      expect(Buffer.compare(readFileSync(copy), image)).toBe(0);
      expect(await ask('enum', 'list-groups')).toMatch(/16724/);
      for (const name of groupNames) expect(await ask('enum', 'show-group-details')).toContain(name);
      await expect(ask('os', 'task-statistics')).rejects.toThrow(/ENOTSUP/i);
      await expect(ask('image', 'get-state')).rejects.toThrow(/ENOTSUP/i);
    } finally {
      await device.stop();
    }
  });
});
