// Signed bundles: what the CLI makes is verified by software that is not ours, and devices that have a key take nothing
// else.

import { execFile } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { buildSlotImage, readPrivateKey, readPublicKey } from '../../src/devices/bundle/index.js';
import { DeviceClient, push } from '../../src/devices/client/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { SimulatedDevice } from '../../src/devices/simulated/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { atoll, jsonOf } from '../support/cli.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { buildFirmware, posixDevice } from '../support/firmware.js';
import { int8Dense } from '../support/models.js';
import { smpPython, toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const at = (name: string): string => path.join(folder, name);
const target = 'qemu-mps2-an386';
writeFiles(folder, { 'model.tflite': writeModel(int8Dense(30)) });

async function run(...args: readonly string[]): Promise<Record<string, unknown>> {
  return jsonOf(await atoll([...args, '--json'], { cwd: folder }));
}

const algorithms = ['ed25519', 'es256'] as const;
for (const algorithm of algorithms) await run('keys', 'create', algorithm, '--algorithm', algorithm);
await run('keys', 'create', 'foreign');

/** @returns its bytes */
async function bundle(name: string, ...options: readonly string[]): Promise<Uint8Array> {
  const made = await run('bundle', name, '--target', target, '-o', 'made.bundle', ...options);
  expect(made).toMatchObject({ schema: 'atoll/bundle/1', target });
  return new Uint8Array(readFileSync(at('made.bundle')));
}

test('keys are PEM files; only the owner can read the private one; none is ever replaced', async () => {
  expect(statSync(at('ed25519.private.pem')).mode & 0o777).toBe(0o600);
  const before = readFileSync(at('ed25519.public.pem'), 'utf8');
  expect(await run('keys', 'create', 'ed25519')).toMatchObject({ error: { code: 'FILE_NOT_WRITABLE' } });
  expect(readFileSync(at('ed25519.public.pem'), 'utf8')).toBe(before);
  const [shown, ofPrivate] = [
    await run('keys', 'show', 'es256.public.pem'),
    await run('keys', 'show', 'es256.private.pem'),
  ];
  expect(shown).toMatchObject({
    private: false,
    algorithm: 'es256',
    publicKey: expect.stringMatching(/^04[0-9a-f]{128}$/),
  });
  expect(ofPrivate).toEqual({ ...shown, private: true, file: 'es256.private.pem' });
  expect(await run('keys', 'show', 'model.tflite')).toMatchObject({ error: { code: 'KEY_INVALID' } });
});

test('every verb accepts a bundle as a model, and inspect shows its manifest', async () => {
  await bundle('model.tflite', '--sign', 'ed25519.private.pem', '--counter', '3', '--model-version', 'spring');
  const { keyId } = await run('keys', 'show', 'ed25519.public.pem');
  expect(await run('inspect', 'made.bundle')).toMatchObject({
    manifest: { version: 'spring', counter: 3, target, signedBy: keyId, operators: ['FULLY_CONNECTED'] },
  });
  expect(await run('check', 'made.bundle', '--target', target)).toMatchObject({ fits: true });
  expect(await run('inspect', 'model.tflite')).toMatchObject({ manifest: null });
});

toolTest('pycose').each(algorithms)('%s: pycose verifies what we sign, and not what was changed', async (algorithm) => {
  const image = await bundle('model.tflite', '--sign', `${algorithm}.private.pem`, '--counter', '7');
  const { keyId, publicKey } = (await run('keys', 'show', `${algorithm}.public.pem`)) as Record<string, string>;
  const verify = (file: string) =>
    promisify(execFile)(smpPython, ['test/integration/cose.py', at(file), publicKey as string]);
  expect((await verify('made.bundle')).stdout.trim()).toBe(`${keyId} 7`);
  const changed = image.slice();
  // In the manifest: the name of the target.
  const place = Buffer.from(changed).indexOf(target);
  changed[place] = 'p'.charCodeAt(0);
  writeFileSync(at('changed.bundle'), changed);
  await expect(verify('changed.bundle')).rejects.toThrow(/does not verify/);
});

const status = (name: string) => ({
  code: expect.stringMatching(/DEVICE_ERROR|PUSH_REFUSED/),
  message: expect.stringContaining(name),
});

/** What every device with the keys promises. */
async function promises(device: DeviceClient): Promise<void> {
  expect((await device.describe()).key).toBe(true);
  const board = await loadTarget(target);
  const own = (counter: number, signer = 'ed25519', model = int8Dense(30)): Uint8Array => {
    const key = readPrivateKey(readFileSync(at(`${signer}.private.pem`), 'utf8'), signer);
    return buildSlotImage(writeModel(model), model, board, { counter, key });
  };
  const other = int8Dense(31);
  await expect(push(device, buildSlotImage(writeModel(other), other, board))).rejects.toMatchObject(
    status('no signature'),
  );
  await expect(push(device, own(1, 'foreign'))).rejects.toMatchObject(status('SIGNATURE_INVALID'));
  const first = await push(device, own(5));
  expect(first).toMatchObject({ state: 'confirmed' });
  await expect(push(device, own(4, 'es256', other))).rejects.toMatchObject(status('COUNTER_TOO_LOW'));
  const damaged = own(6, 'es256', other);
  const place = Buffer.from(damaged).indexOf(Buffer.from('counter')) + 7;
  expect(damaged[place]).toBe(6);
  damaged[place] = 7;
  await expect(push(device, damaged)).rejects.toMatchObject(status('SIGNATURE_INVALID'));
  expect(await device.activeModel()).toBe(first.model);
  const second = await push(device, own(5, 'es256', other));
  await device.reset();
  expect(await device.activeModel()).toBe(second.model);
  expect(second.model).not.toBe(first.model);
}

describe('devices with keys accept only models signed with them, and none older than the active one', () => {
  test('simulated', async () => {
    const keys = algorithms.map((name) => readPublicKey(readFileSync(at(`${name}.public.pem`), 'utf8'), name));
    await promises(new DeviceClient(new SimulatedDevice(await loadTarget(target), { keys }).connect()));
  });

  toolTest(
    'gcc',
    'make',
    'libcrypto',
  )('in C, with OpenSSL', async () => {
    await buildFirmware('posix');
    const { uri, stop } = await posixDevice(
      'tcp:0',
      ...algorithms.flatMap((name) => ['--key', at(`${name}.public.pem`)]),
    );
    const device = await openDevice(uri);
    try {
      await promises(device);
    } finally {
      await device.close();
      await stop();
    }
  });
});
