// All sequences of slot commands and resets, of any length, as firmware-protocol/c/test/test_slots.c has them for C:
// from every state that one leads to, every command is tried, until no new state is found.

import { expect, test } from 'vitest';
import { sha256 } from '../../../../src/base/hashes.js';
import { createKeys, encodeSlotImage, readPrivateKey, readPublicKey } from '../../../../src/devices/bundle/index.js';
import {
  atollCommands,
  encodePacket,
  encodePayload,
  fileCommands,
  slotFiles,
} from '../../../../src/devices/protocol/index.js';
import { type DeviceEngine, ServedDevice } from '../../../../src/devices/simulated/index.js';
import { Slots } from '../../../../src/devices/simulated/slots.js';
import { writeModel } from '../../../../src/formats/tflite/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { int8Dense } from '../../../support/models.js';

const target = await loadTarget('pico');
const pair = () => {
  const keys = createKeys('ed25519');
  return {
    signing: readPrivateKey(keys.privateKey, 'a test key'),
    verifying: readPublicKey(keys.publicKey, 'a test key'),
  };
};
const [own, stranger] = [pair(), pair()];
const manifest = {
  version: '1',
  target: target.id,
  profile: target.runtime.kernelProfile,
  agreement: 'exact',
  operators: [9] as number[],
  arena: 100,
} as const;
const images = [
  { counter: 1, key: own.signing },
  { counter: 5, key: own.signing },
  { counter: 9, key: stranger.signing },
  { counter: 9, key: null },
].map(({ counter, key }, i) => ({
  counter,
  trusted: key === own.signing,
  bytes: encodeSlotImage(writeModel(int8Dense(4, i + 1)), { ...manifest, counter }, [], key),
}));
const imageOf = (bytes: Uint8Array) => images.find((image) => Buffer.compare(image.bytes, bytes) === 0);

/** Loads whatever there is. */
const engine: DeviceEngine = {
  firmware: 'test',
  runtimeVersion: 'test',
  simulated: true,
  features: [],
  load: async () => ({
    inputs: [],
    outputs: [],
    arenaBytes: 0,
    operators: null,
    run: async () => ({ output: new Uint8Array(0), ticks: 0 }),
    latencies: () => [],
  }),
};

/** Slots, and what the test remembers of the way there. */
interface State {
  readonly slots: Slots;
  readonly highest: number;
  readonly wasConfirmed: boolean;
}

function copyOf(slots: Slots): Slots {
  const copy = new Slots();
  slots.all.forEach((slot, i) => {
    Object.assign(copy.at(i), slot);
  });
  copy.floor = slots.floor;
  return copy;
}

const keyOf = ({ slots, highest, wasConfirmed }: State): string =>
  JSON.stringify([
    slots.all.map(({ bytes, ...flags }) => [
      images.findIndex((image) => Buffer.compare(image.bytes, bytes) === 0),
      flags,
    ]),
    slots.floor,
    highest,
    wasConfirmed,
  ]);

type Command = (device: ServedDevice) => Promise<unknown>;
const ask = (
  device: ServedDevice,
  { group, id, op }: { group: number; id: number; op: number },
  request: object,
): Promise<unknown> =>
  device.answer(
    encodePacket({ version: 1, op: op as 0, group, sequence: 0, command: id, payload: encodePayload(request) }),
  );
const commands: readonly Command[] = [
  ...images.map(
    ({ bytes }): Command =>
      (device) =>
        ask(device, fileCommands.upload, { off: 0, name: slotFiles.inactive, len: bytes.byteLength, data: bytes }),
  ),
  ...[0, 1].map(
    (slot): Command =>
      (device) =>
        ask(device, atollCommands.activate, { slot, sha: sha256(device.slots.at(slot).bytes) }),
  ),
  ...[0, 1].map(
    (slot): Command =>
      (device) =>
        ask(device, atollCommands.erase, { slot }),
  ),
  (device) => ask(device, atollCommands.confirm, { sha: sha256(device.slots.active?.bytes ?? new Uint8Array(0)) }),
  async (device) => device.reset(),
];

/** What holds in every state; its memory goes on. */
function examined(slots: Slots, { highest, wasConfirmed, slots: before }: State): State {
  expect(slots.floor).toBeGreaterThanOrEqual(Math.max(before.floor, highest));
  const { active } = slots;
  const image = active === null ? undefined : imageOf(active.bytes);
  if (active !== null) {
    expect(image?.trusted).toBe(true);
    expect(image?.counter).toBeGreaterThanOrEqual(slots.floor);
  }
  const settled = active?.confirmed === true && !active.pending;
  return {
    slots,
    highest: settled ? Math.max(highest, image?.counter ?? 0) : highest,
    wasConfirmed: wasConfirmed || settled,
  };
}

test('the floor of counters never falls, nothing untrusted is active, a confirmed model is never lost', {
  timeout: 120_000,
}, async () => {
  const start: State = { slots: new Slots(), highest: 0, wasConfirmed: false };
  const seen = new Map([[keyOf(start), start]]);
  for (const state of seen.values()) {
    if (state.wasConfirmed) {
      const later = copyOf(state.slots);
      for (let i = 0; i < 3; i++) later.boot();
      expect(later.active, keyOf(state)).toMatchObject({ confirmed: true, pending: false });
    }
    for (const command of commands) {
      const device = new ServedDevice(target, engine, {
        slots: copyOf(state.slots),
        keys: [own.verifying],
        maxPacketBytes: 8192,
      });
      await command(device);
      const next = examined(device.slots, state);
      if (!seen.has(keyOf(next))) seen.set(keyOf(next), { ...next, slots: copyOf(next.slots) });
    }
  }
  expect(seen.size).toBeGreaterThan(150);
});
