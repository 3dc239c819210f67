import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { hex, sha256 } from '../../src/bundle/index.js';
import { KeptSlots } from '../../src/simdevice/index.js';
import { temporaryFolder } from '../support/files.js';

const folder = path.join(temporaryFolder(), 'state');
beforeEach(() => rmSync(folder, { recursive: true, force: true }));

const image = (fill: number): Uint8Array => new Uint8Array(1000).fill(fill);
const names = (): string[] => readdirSync(folder).sort();
const nameOf = (fill: number): string => `${hex(sha256(image(fill)))}.slot`;

async function withModel(fill: number, slots: KeptSlots): Promise<void> {
  const slot = slots.inactive;
  slots.erase(slot);
  slots.append(slot, image(fill));
  slot.tested = true;
  slots.activate(slot);
  slots.confirm(sha256(image(fill)));
  await slots.keep();
}

test('models and what each slot is are there after a restart; what is replaced goes', async () => {
  const first = await KeptSlots.in(folder);
  await withModel(1, first);
  await withModel(2, first);
  const second = await KeptSlots.in(folder);
  expect(second.active?.bytes).toEqual(image(2));
  expect(second.all.map(({ active, confirmed, pending }) => ({ active, confirmed, pending }))).toEqual(
    first.all.map(({ active, confirmed, pending }) => ({ active, confirmed, pending })),
  );
  await withModel(3, second);
  expect(names()).toEqual([nameOf(2), nameOf(3), 'slots.json'].sort());
});

test('what was never confirmed has a boot less each time, and is given up at the third', async () => {
  const slots = await KeptSlots.in(folder);
  await withModel(1, slots);
  const { inactive } = slots;
  slots.erase(inactive);
  slots.append(inactive, image(2));
  slots.activate(inactive);
  await slots.keep();
  const running = async (): Promise<number | undefined> => (await KeptSlots.in(folder)).active?.bytes[0];
  expect([await running(), await running(), await running()]).toEqual([2, 2, 1]);
});

test('what has passed nothing yet is not kept', async () => {
  const slots = await KeptSlots.in(folder);
  slots.append(slots.inactive, image(1));
  await slots.keep();
  expect(names()).toEqual(['slots.json']);
  expect((await KeptSlots.in(folder)).inactive.bytes).toHaveLength(0);
});

test('an image that is not what its name says, or a state that is none, is not run', async () => {
  await withModel(1, await KeptSlots.in(folder));
  writeFileSync(path.join(folder, nameOf(1)), image(9));
  await expect(KeptSlots.in(folder)).rejects.toMatchObject({ code: 'STATE_INVALID' });
  for (const text of ['', '{}', readFileSync(path.join(folder, 'slots.json'), 'utf8').replace('"attempts": 0', '"attempts": -1')]) {
    writeFileSync(path.join(folder, 'slots.json'), text);
    await expect(KeptSlots.in(folder)).rejects.toMatchObject({ code: 'STATE_INVALID' });
  }
});
