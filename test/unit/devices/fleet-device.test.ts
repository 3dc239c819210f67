import { describe, expect, test } from 'vitest';
import { fail } from '../../../src/base/errors.js';
import { sha256 } from '../../../src/base/hashes.js';
import { buildSlotImage } from '../../../src/devices/bundle/index.js';
import { fleetTopics } from '../../../src/devices/mqtt/index.js';
import { decodeReported, encodeDesired, type Reported } from '../../../src/devices/protocol/index.js';
import { FleetDevice, ImageStore } from '../../../src/devices/simulated/index.js';
import { Slots } from '../../../src/devices/simulated/slots.js';
import { writeModel } from '../../../src/formats/tflite/index.js';
import { loadTarget } from '../../../src/targets/index.js';
import { int8Dense } from '../../support/models.js';

const target = await loadTarget('pico');
const model = int8Dense(100, 1);
const image = buildSlotImage(writeModel(model), model, target, {});
const topics = fleetTopics('f');
const desired = encodeDesired({
  rollout: 'r',
  attempt: 1,
  sha: sha256(image),
  len: image.byteLength,
  block: 1024,
  seed: 1,
});

/** A device whose inactive slot holds the image already, so that nothing is fetched. */
function deviceWith(
  options: { readonly keep?: () => Promise<void>; readonly store?: Partial<Pick<ImageStore, 'verdict'>> } = {},
) {
  const slots = new Slots();
  slots.append(slots.inactive, image);
  const reports: Reported[] = [];
  const port = {
    subscribe: () => undefined,
    unsubscribe: () => undefined,
    publish: (topic: string, payload: Uint8Array | string) => {
      if (topic === topics.reported('d')) reports.push(decodeReported(payload as Uint8Array));
    },
    now: () => Date.now(),
    later: (ms: number, callback: () => void) => {
      // Steps are taken at once; what is said again after a while is not waited for.
      const timer = ms < 1000 ? setTimeout(callback, 0) : undefined;
      return () => clearTimeout(timer);
    },
    wake: () => undefined,
  };
  const store = Object.assign(new ImageStore(target, []), options.store);
  const device = new FleetDevice('d', 'f', target, port, store, {
    seed: 1,
    slots,
    ...(options.keep === undefined ? {} : { keep: options.keep }),
  });
  device.connected();
  device.received(topics.desired('d'), desired);
  return { device, slots, states: () => reports.map(({ state }) => state), last: () => reports.at(-1) };
}

describe('a device of a fleet', () => {
  test('runs the desired model', async () => {
    const { slots, states } = deviceWith();
    await expect.poll(states).toEqual(['idle', 'verified', 'pending', 'confirmed']);
    expect(slots.active).toMatchObject({ confirmed: true, bytes: image });
  });

  test('does not activate an image that was replaced during its test', async () => {
    let judge = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      judge = resolve;
    });
    const real = new ImageStore(target, []);
    const verdict: ImageStore['verdict'] = async (bytes) => {
      await asked;
      return real.verdict(bytes);
    };
    const { slots, states, last } = deviceWith({ store: { verdict } });
    await expect.poll(states).toEqual(['idle', 'verified']);
    await new Promise((resolve) => setTimeout(resolve, 10));
    slots.erase(slots.inactive);
    slots.append(slots.inactive, new Uint8Array(100));
    judge();
    await expect.poll(states).toEqual(['idle', 'verified', 'failed']);
    expect(last()).toMatchObject({ code: 'HASH_MISMATCH' });
    expect(slots.active).toBeNull();
  });

  test('does not confirm a model that was replaced during its verification', async () => {
    const real = new ImageStore(target, []);
    let asked = 0;
    const verdict: ImageStore['verdict'] = async (bytes) => {
      asked += 1;
      // The second time it runs already.
      if (asked === 2) slots.activate(slots.inactive);
      return real.verdict(bytes);
    };
    const { slots, states, last } = deviceWith({ store: { verdict } });
    await expect.poll(states).toEqual(['idle', 'verified', 'pending', 'failed']);
    expect(last()).toMatchObject({ code: 'HASH_MISMATCH' });
  });

  test('reports nothing that is not in flash yet', async () => {
    let written = (): void => undefined;
    const writing = new Promise<void>((resolve) => {
      written = resolve;
    });
    const { states, slots } = deviceWith({ keep: () => writing });
    await expect.poll(() => slots.active?.confirmed).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(states()).toEqual([]);
    written();
    // What has become old meanwhile is not told any more.
    await expect.poll(states).toEqual(['confirmed']);
  });

  test('whose flash cannot be written reports the failure', async () => {
    const keep = async (): Promise<void> => {
      throw fail('FILE_NOT_WRITABLE', { path: 'state/slots.json', reason: 'the disk is full' });
    };
    const { last } = deviceWith({ keep });
    await expect
      .poll(last)
      .toMatchObject({ state: 'failed', code: 'FILE_NOT_WRITABLE', detail: expect.stringContaining('disk is full') });
  });
});
