import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { fail } from '../../../src/base/errors.js';
import { sha256, sha256Hex } from '../../../src/base/hashes.js';
import { processIdentity } from '../../../src/base/programs/index.js';
import { buildSlotImage } from '../../../src/devices/bundle/index.js';
import {
  atollCommands,
  type Command,
  decodeMap,
  decodePacket,
  encodePacket,
  encodePayload,
} from '../../../src/devices/protocol/index.js';
import { PersistentSlots, SimulatedDevice } from '../../../src/devices/simulated/index.js';
import { writeModel } from '../../../src/formats/tflite/index.js';
import { loadTarget } from '../../../src/targets/index.js';
import { temporaryFolder } from '../../support/files.js';
import { int8Dense } from '../../support/models.js';

const folder = path.join(temporaryFolder(), 'state');
beforeEach(() => rmSync(folder, { recursive: true, force: true }));

const image = (fill: number): Uint8Array => new Uint8Array(1000).fill(fill);
const names = (): string[] =>
  readdirSync(folder)
    .filter((name) => name !== 'lock')
    .sort();
const nameOf = (fill: number): string => `${sha256Hex(image(fill))}.slot`;

async function withModel(fill: number, slots: PersistentSlots): Promise<void> {
  const slot = slots.inactive;
  slots.erase(slot);
  slots.append(slot, image(fill));
  slot.tested = true;
  slots.activate(slot);
  slots.confirm(sha256(image(fill)), fill);
  await slots.keep();
}

test('models and slot states survive a restart; replaced models are deleted', async () => {
  const first = await PersistentSlots.open(folder);
  await withModel(1, first);
  await withModel(2, first);
  const second = await PersistentSlots.open(folder);
  expect(second.active?.bytes).toEqual(image(2));
  expect(second.all.map(({ active, confirmed, pending }) => ({ active, confirmed, pending }))).toEqual(
    first.all.map(({ active, confirmed, pending }) => ({ active, confirmed, pending })),
  );
  await withModel(3, second);
  expect(names()).toEqual([nameOf(2), nameOf(3), 'slots.json'].sort());
});

test('an unconfirmed model loses an attempt at each boot, and is given up at the third', async () => {
  const slots = await PersistentSlots.open(folder);
  await withModel(1, slots);
  const { inactive } = slots;
  slots.erase(inactive);
  slots.append(inactive, image(2));
  slots.activate(inactive);
  await slots.keep();
  const running = async (): Promise<number | undefined> => (await PersistentSlots.open(folder)).active?.bytes[0];
  expect([await running(), await running(), await running()]).toEqual([2, 2, 1]);
});

test('an untested model is not kept', async () => {
  const slots = await PersistentSlots.open(folder);
  slots.append(slots.inactive, image(1));
  await slots.keep();
  expect(names()).toEqual(['slots.json']);
  expect((await PersistentSlots.open(folder)).inactive.bytes).toHaveLength(0);
});

test('an image that does not match its name, or an invalid state, is not run', async () => {
  await withModel(1, await PersistentSlots.open(folder));
  writeFileSync(path.join(folder, nameOf(1)), image(9));
  await expect(PersistentSlots.open(folder)).rejects.toMatchObject({ code: 'STATE_INVALID' });
  for (const text of [
    '',
    '{}',
    readFileSync(path.join(folder, 'slots.json'), 'utf8').replace('"attempts": 0', '"attempts": -1'),
  ]) {
    writeFileSync(path.join(folder, 'slots.json'), text);
    await expect(PersistentSlots.open(folder)).rejects.toMatchObject({ code: 'STATE_INVALID' });
  }
});

test('an abandoned image stays, with its boot count: it is not tried again', async () => {
  const slots = await PersistentSlots.open(folder);
  await withModel(1, slots);
  const { inactive } = slots;
  slots.erase(inactive);
  slots.append(inactive, image(2));
  inactive.tested = true;
  slots.activate(inactive);
  await slots.keep();
  for (let starts = 0; starts < 3; starts++) await PersistentSlots.open(folder);
  const { active, inactive: givenUp } = await PersistentSlots.open(folder);
  expect(active?.bytes).toEqual(image(1));
  expect(givenUp).toMatchObject({ bytes: image(2), attempts: 3, tested: false });
});

test('a device answers when its flash is on disk, and with an error where it cannot be', async () => {
  const slots = await PersistentSlots.open(folder);
  const target = await loadTarget('pico');
  const model = int8Dense(100, 1);
  const bytes = buildSlotImage(writeModel(model), model, target, {});
  slots.append(slots.inactive, bytes);
  let writes = 0;
  const keep = async (): Promise<void> => {
    writes += 1;
    if (writes === 3) throw fail('FILE_NOT_WRITABLE', { path: folder, reason: 'the disk is full' });
    await slots.keep();
  };
  const device = new SimulatedDevice(target, { slots, keep });
  const request = (command: Command, content: object) =>
    device.answer(
      encodePacket({
        op: command.op,
        version: 1,
        group: command.group,
        sequence: 1,
        command: command.id,
        payload: encodePayload(content),
      }),
    );
  const indexed = () => JSON.parse(readFileSync(path.join(folder, 'slots.json'), 'utf8')).slots[0];
  await request(atollCommands.selfTest, { slot: 0 });
  expect(indexed()).toMatchObject({ tested: true, active: false });
  await request(atollCommands.activate, { slot: 0, sha: sha256(bytes) });
  expect(indexed()).toMatchObject({ active: true, pending: true });
  const answer = await request(atollCommands.confirm, { sha: sha256(bytes) });
  expect(decodeMap(decodePacket(answer ?? new Uint8Array(0)).payload, 'answer')).toMatchObject({
    rc: 1,
    rsn: expect.stringContaining('disk is full'),
  });
});

test(
  'a folder belongs to one process at a time, and to the next one ' + 'when that has gone; what else lies there stays',
  async () => {
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'notes.slot'), 'mine');
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    writeFileSync(path.join(folder, 'lock'), `${other.pid} ${await processIdentity(other.pid ?? 0)}`);
    await expect(PersistentSlots.open(folder)).rejects.toMatchObject({
      code: 'STATE_BUSY',
      message: expect.stringContaining(String(other.pid)),
    });
    // Its number, and another process: one before the system was started anew.
    writeFileSync(path.join(folder, 'lock'), `${other.pid} elsewhere/1`);
    await (await PersistentSlots.open(folder)).close();
    writeFileSync(path.join(folder, 'lock'), `${other.pid} ${await processIdentity(other.pid ?? 0)}`);
    other.kill();
    await once(other, 'exit');
    const slots = await PersistentSlots.open(folder);
    await withModel(1, slots);
    await withModel(2, slots);
    await withModel(3, slots);
    await slots.close();
    expect(names()).toEqual([nameOf(2), nameOf(3), 'notes.slot', 'slots.json'].sort());
  },
);

test('of processes that start at the same time with an abandoned folder, one gets it', async () => {
  mkdirSync(folder, { recursive: true });
  for (let round = 0; round < 5; round++) {
    writeFileSync(path.join(folder, 'lock'), '999999999 gone');
    const module = path.resolve('dist/devices/simulated/index.js');
    const script = `import('${module}')
      .then(({ PersistentSlots }) => PersistentSlots.open(${JSON.stringify(folder)}))
      .then(
        () => { console.log('has it'); setTimeout(() => {}, 1500); },
        (error) => console.log(error.code),
      );`;
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['-e', script]);
        let said = '';
        child.stdout.on('data', (chunk: Buffer) => {
          said += chunk.toString();
        });
        await once(child, 'close');
        return said.trim();
      }),
    );
    expect(answers.toSorted()).toEqual(['STATE_BUSY', 'STATE_BUSY', 'STATE_BUSY', 'has it']);
    rmSync(path.join(folder, 'lock'), { force: true });
  }
});
