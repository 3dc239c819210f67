// Fleets of simulated devices at real brokers: a bundle is published once, every device fetches, proves and reports it.

import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { hex, sha256, sha256Hex } from '../../src/base/hashes.js';
import { buildSlotImage, createKeys, readPrivateKey, readPublicKey } from '../../src/devices/bundle/index.js';
import {
  type BrokerConnection,
  connectToBroker,
  fleetTopics,
  parseBrokerAddress,
} from '../../src/devices/mqtt/index.js';
import { decodeReported, encodeDesired, type Reported, type WrittenDesired } from '../../src/devices/protocol/index.js';
import {
  type FleetOptions,
  ImageStore,
  numberedIds,
  type ServedFleet,
  serveFleet,
} from '../../src/devices/simulated/index.js';
import { publishBundle, readRegistry, withdrawBundle } from '../../src/fleet/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { embeddedBroker, mosquitto, type TestBroker } from '../support/brokers.js';
import { atoll, jsonOf } from '../support/cli.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { int8Dense } from '../support/models.js';
import { toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const target = await loadTarget('pico');
const fleet = 'plant';
const topics = fleetTopics(fleet);

/** A model of about 40 KB: more blocks than two segments. */
function imageOf(fill: number, key?: ReturnType<typeof readPrivateKey>, counter = 1): Uint8Array {
  const model = int8Dense(4000, fill);
  return buildSlotImage(writeModel(model), model, target, { counter, ...(key === undefined ? {} : { key }) });
}

/** An agent's view of a fleet: the last report of each device. */
class Watch {
  readonly reports = new Map<string, Reported[]>();
  private wake: () => void = () => undefined;

  static async over(connection: BrokerConnection): Promise<Watch> {
    const watch = new Watch();
    await connection.subscribe(topics.allReported(), ({ topic, payload }) => {
      const id = topic.slice(topic.lastIndexOf('/') + 1);
      const reports = watch.reports.get(id) ?? [];
      const report = decodeReported(payload);
      if (report.seq > (reports.at(-1)?.seq ?? 0)) watch.reports.set(id, [...reports, report]);
      watch.wake();
    });
    return watch;
  }

  async until(holds: (last: ReadonlyMap<string, Reported>) => boolean): Promise<ReadonlyMap<string, Reported>> {
    for (;;) {
      const last = new Map([...this.reports].map(([id, reports]) => [id, reports.at(-1) as Reported]));
      if (holds(last)) return last;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

async function during(
  broker: TestBroker,
  {
    count = 12,
    prefix = 'd',
    ...options
  }: Partial<FleetOptions> & { readonly count?: number; readonly prefix?: string },
  work: (agent: BrokerConnection, served: ServedFleet) => Promise<void>,
): Promise<void> {
  const address = parseBrokerAddress(broker.uri);
  const agent = await connectToBroker(address);
  const served = await serveFleet(address, { fleet, ids: numberedIds(prefix, count), target, ...options });
  try {
    await work(agent, served);
  } finally {
    await served.close();
    await agent.close();
    await broker.stop();
  }
}

async function desire(
  agent: BrokerConnection,
  served: ServedFleet,
  image: Uint8Array,
  rollout: string,
  more: Partial<WrittenDesired> = {},
): Promise<WrittenDesired> {
  const desired = { rollout, sha: sha256(image), len: image.byteLength, block: 1024, seed: 4711, ...more };
  for (const { id } of served.devices)
    await agent.publish(topics.desired(id), encodeDesired(desired), { retain: true });
  return desired;
}

const ended = ({ state }: Reported): boolean => state === 'confirmed' || state === 'failed';
const all = (count: number) => (last: ReadonlyMap<string, Reported>) =>
  last.size === count && [...last.values()].every(ended);

const brokers: readonly [name: string, run: typeof test, start: () => Promise<TestBroker>][] = [
  ['our own broker', test, () => embeddedBroker()],
  ['mosquitto', toolTest('mosquitto') as typeof test, () => mosquitto(folder)],
];

describe.each(brokers)('at %s', (_name, run, start) => {
  run('every device fetches a bundle that is published once, proves it, and answers its challenge', async () => {
    const image = imageOf(1);
    await during(await start(), {}, async (agent, served) => {
      const watch = await Watch.over(agent);
      const published = await publishBundle(agent, fleet, image);
      expect(published).toMatchObject({ imageBytes: image.byteLength, blocks: Math.ceil(image.byteLength / 1024) });
      // More than a segment, or nothing would be shown.
      expect(published.blocks).toBeGreaterThan(32);
      await desire(agent, served, image, 'r1');
      const last = await watch.until(all(12));
      const expected = crc32((await new ImageStore(target, []).challenge(image, 4711)) as Uint8Array);
      for (const report of last.values())
        expect(report).toMatchObject({
          state: 'confirmed',
          rollout: 'r1',
          vectors: 4,
          failed: 0,
          crc: expected,
          runs: 30,
        });
      for (const reports of watch.reports.values()) {
        // Whatever was overtaken, the steps are in their order.
        const order = ['downloading', 'verified', 'pending', 'confirmed'];
        const steps = reports.map(({ state }) => order.indexOf(state));
        expect(steps).toEqual([...steps].sort((a, b) => a - b));
      }
      // The same again is no work.
      const before = served.devices.map(({ running }) => running);
      await desire(agent, served, image, 'r1');
      await desire(agent, served, image, 'r2');
      await watch.until((now) =>
        [...now.values()].every(({ rollout, state }) => rollout === 'r2' && state === 'confirmed'),
      );
      expect(served.devices.map(({ running }) => running)).toEqual(before);
      await withdrawBundle(agent, fleet, published);
    });
  });

  run('devices with faults report them, or fall silent; the others are not touched', async () => {
    const key = readPrivateKey(createKeys('ed25519').privateKey, 'key');
    const [good, foreign] = [imageOf(2, key, 3), imageOf(3)];
    const keys = [readPublicKey(createKeys('ed25519').publicKey, 'other'), key];
    const faults = [{ name: 'wrong-result', share: 0.3 } as const, { name: 'dies-downloading', share: 0.2 } as const];
    await during(await start(), { count: 40, keys, faults, seed: 5 }, async (agent, served) => {
      const watch = await Watch.over(agent);
      await publishBundle(agent, fleet, good);
      await publishBundle(agent, fleet, foreign);
      await desire(agent, served, good, 'r1');
      const running = () => served.devices.filter((device) => device.running === sha256Hex(good));
      const countIn = (last: ReadonlyMap<string, Reported>, state: string): number =>
        [...last.values()].filter((report) => report.state === state).length;
      const settled = await watch.until(
        (last) =>
          last.size === 40 &&
          countIn(last, 'confirmed') + countIn(last, 'failed') >= 25 &&
          countIn(last, 'confirmed') === running().length,
      );
      const count = (state: string): number => countIn(settled, state);
      expect(count('failed')).toBeGreaterThan(3);
      expect(count('confirmed')).toBeGreaterThan(15);
      for (const report of settled.values())
        if (report.state === 'failed') expect(report).toMatchObject({ code: 'SELF_TEST_FAILED' });
      // Nothing that their key has not signed.
      await desire(agent, served, foreign, 'r2');
      await watch.until(
        (last) =>
          [...last.values()].filter(({ rollout, state }) => rollout === 'r2' && state === 'failed').length >= 25,
      );
      expect(served.devices.filter((device) => device.running === sha256Hex(foreign))).toEqual([]);
      expect(running().length).toBeGreaterThanOrEqual(count('confirmed'));
    });
  });
});

test('blocks that are damaged, repeated or of another image: the hash decides, and nothing of them runs', async () => {
  const image = imageOf(4);
  await during(await embeddedBroker(), { count: 3 }, async (agent, served) => {
    const watch = await Watch.over(agent);
    const { sha } = await publishBundle(agent, fleet, image);
    const other = await publishBundle(agent, fleet, imageOf(5));
    // The third block is that of another image, as an intruder might put it there.
    const blocks: Uint8Array[] = [];
    await agent.subscribe(topics.segment(hex(other.sha), 0), ({ topic, payload }) => {
      blocks[Number(topic.split('/').at(-1))] = payload;
    });
    while (blocks[2] === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    await agent.publish(topics.block(hex(sha), 0, 2), blocks[2], { retain: true });
    await desire(agent, served, image, 'r1');
    const last = await watch.until(all(3));
    for (const report of last.values()) expect(report).toMatchObject({ state: 'failed', code: 'HASH_MISMATCH' });
    expect(served.devices.every((device) => device.running === null)).toBe(true);
  });
});

test('messages that cannot be decoded, a deadline that has passed, an image that is too large', async () => {
  const image = imageOf(6);
  await during(await embeddedBroker(), { count: 1 }, async (agent, served) => {
    const watch = await Watch.over(agent);
    const id = served.devices[0]?.id as string;
    for (const payload of [
      Buffer.from('nonsense'),
      new Uint8Array(5000).fill(0xff),
      encodeDesired({ rollout: '' } as never),
    ]) {
      await agent.publish(topics.desired(id), payload, { retain: true });
    }
    await desire(agent, served, image, 'late', { deadline: 1_000_000_000 });
    expect((await watch.until(all(1))).get(id)).toMatchObject({ rollout: 'late', state: 'failed', code: 'DEADLINE' });
    await desire(agent, served, image, 'large', { len: 2 ** 31 });
    await watch.until((last) => last.get(id)?.rollout === 'large');
    expect(watch.reports.get(id)?.at(-1)).toMatchObject({ state: 'failed', code: 'IMAGE_TOO_LARGE' });
    expect(watch.reports.get(id)?.map(({ state }) => state)).toEqual(['idle', 'failed', 'failed']);
    // The same once more is nothing new, until it has been taken back.
    await desire(agent, served, image, 'large', { len: 2 ** 31 });
    await agent.publish(topics.desired(id), new Uint8Array(0), { retain: true });
    await desire(agent, served, image, 'large', { len: 2 ** 31 });
    await watch.until(() => watch.reports.get(id)?.length === 5);
    expect(watch.reports.get(id)?.map(({ state }) => state)).toEqual(['idle', 'failed', 'failed', 'idle', 'failed']);
  });
});

toolTest('mosquitto')('a fleet is read to its last device, from a broker that drops what it cannot queue', async () => {
  const broker = await mosquitto(folder);
  await during(broker, { count: 1500, prefix: 'p-', tags: { line: 'a' } }, async (agent, served) => {
    // All have reported when the last message of each has been taken by the broker; the registry tells.
    let registry = await readRegistry(agent, fleet);
    for (let tries = 0; registry.members.length < 1500 && tries < 20; tries++)
      registry = await readRegistry(agent, fleet);
    expect(registry.members.map(({ id }) => id)).toEqual(served.devices.map(({ id }) => id));
    expect(
      registry.members.every(
        ({ online, reported }) =>
          online && reported.state === 'idle' && reported.target === 'pico' && reported.tags?.line === 'a',
      ),
    ).toBe(true);
    await agent.publish(topics.reported('intruder'), Buffer.from('nonsense'), { retain: true });
    expect(await readRegistry(agent, fleet)).toMatchObject({ unreadable: ['intruder'] });
    const listed = jsonOf(await atoll(['devices', `${broker.uri}/${fleet}`, '--json'])) as {
      devices: { id: string; online: boolean }[];
    };
    expect(listed.devices.length).toBe(1500);
    expect(listed.devices[0]).toMatchObject({
      id: 'p-0001',
      online: true,
      target: 'pico',
      tags: { line: 'a' },
      state: 'idle',
      model: null,
    });
  });
});

test('rollout plan shows what would happen, and changes nothing', async () => {
  const broker = await embeddedBroker();
  await during(broker, { count: 30, prefix: 'q-' }, async (agent) => {
    let registry = await readRegistry(agent, fleet);
    while (registry.members.length < 30) registry = await readRegistry(agent, fleet);
    const image = imageOf(7);
    writeFiles(folder, {
      'm.bundle': image,
      'plan.yaml':
        'rollout: spring\nbundle: m.bundle\nselect: { ids: [q-01, q-02, q-03, q-04, q-99] }\nwaves: [1, 100%]\n',
    });
    const plan = (...args: string[]) =>
      atoll(['rollout', 'plan', `${folder}/plan.yaml`, '--fleet', `${broker.uri}/${fleet}`, ...args]);
    expect(jsonOf(await plan('--json'))).toMatchObject({
      rollout: 'spring',
      target: 'pico',
      devices: 4,
      waves: [
        { devices: 1, online: 1, running: 0 },
        { devices: 3, online: 3 },
      ],
      unknown: ['q-99'],
      bundle: { sha256: sha256Hex(image), signed: false },
    });
    expect((await plan()).stdout).toMatch(
      /4 devices of pico, in 2 waves[\s\S]*at most 2(\.0)? % failed, else pause: waves fail from 1, 2[\s\S]*: q-99/,
    );
    expect(await readRegistry(agent, fleet)).toEqual(registry);
    writeFiles(folder, { 'm.bundle': writeModel(int8Dense(10)) });
    expect(jsonOf(await plan('--json'))).toMatchObject({
      error: { code: 'ROLLOUT_PLAN', message: expect.stringContaining('not a bundle') },
    });
  });
});

test('a fleet is read completely from the embedded broker too, presence included', async () => {
  await during(await embeddedBroker(), { count: 300, prefix: 'o-' }, async (agent, served) => {
    let registry = await readRegistry(agent, fleet);
    while (registry.members.length < 300) registry = await readRegistry(agent, fleet);
    for (let again = 0; again < 5; again++) {
      registry = await readRegistry(agent, fleet);
      expect(registry.members.map(({ id }) => id)).toEqual(served.devices.map(({ id }) => id));
      expect(registry.members.filter(({ online }) => !online)).toEqual([]);
    }
  });
});
