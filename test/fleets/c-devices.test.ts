// The device side in C at a broker: libmosquitto and OpenSSL, beside simulated devices in one fleet, under the same
// agent.

import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterEach, expect } from 'vitest';
import { hex, sha256Hex } from '../../src/base/hashes.js';
import { buildSlotImage, createKeys, readPrivateKey, readPublicKey } from '../../src/devices/bundle/index.js';
import {
  type BrokerConnection,
  connectToBroker,
  fleetTopics,
  parseBrokerAddress,
} from '../../src/devices/mqtt/index.js';
import { encodeDesired } from '../../src/devices/protocol/index.js';
import { numberedIds, serveFleet } from '../../src/devices/simulated/index.js';
import {
  beginRollout,
  leadRollout,
  openStore,
  publishBundle,
  type RolloutPlan,
  type RolloutSummary,
  readRegistry,
  summarize,
} from '../../src/fleet/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { mosquitto, type TestBroker } from '../support/brokers.js';
import { atoll, jsonOf } from '../support/cli.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { buildFirmware } from '../support/firmware.js';
import { int8Dense } from '../support/models.js';
import { toolTest } from '../support/tools.js';
import { examplePlan } from '../support/virtual-fleet.js';

const folder = temporaryFolder();
const target = await loadTarget('qemu-mps2-an386');
const key = readPrivateKey(createKeys('ed25519').privateKey, 'key');
const pair = createKeys('ed25519');
const trusted = readPrivateKey(pair.privateKey, 'key');
writeFiles(folder, { 'trusted.pem': pair.publicKey });
const run = toolTest('gcc', 'make', 'mosquitto', 'libmosquitto', 'libcrypto');

const imageOf = (fill: number, signer = trusted): Uint8Array => {
  const model = int8Dense(4000, fill);
  return buildSlotImage(writeModel(model), model, target, { key: signer });
};

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

class CFleet {
  private constructor(
    readonly broker: TestBroker,
    readonly agent: BrokerConnection,
  ) {}

  static async start(): Promise<CFleet> {
    await buildFirmware('fleet');
    const broker = await mosquitto(folder);
    closers.push(broker.stop);
    const agent = await connectToBroker(parseBrokerAddress(broker.uri));
    closers.push(() => agent.close());
    return new CFleet(broker, agent);
  }

  /** With flash in a file, so that another start of the same id finds what was there. */
  boot(id: string, ...options: string[]): { readonly child: ChildProcess; readonly ended: Promise<number | null> } {
    const flash = path.join(folder, `${id}.flash`);
    const args = [
      '--broker',
      this.broker.uri.replace('mqtt://', ''),
      '--fleet',
      'c',
      '--id',
      id,
      '--target',
      target.id,
      '--flash',
      flash,
    ];
    const own = ['--slot-bytes', '65536', '--key', path.join(folder, 'trusted.pem'), ...options];
    const child = spawn('firmware-protocol/c/build/atoll-fleet-device', [...args, ...own], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    closers.push(async () => {
      child.kill('SIGKILL');
      await ended;
      rmSync(flash, { force: true });
    });
    return { child, ended };
  }

  /** And waits until they are there. */
  async devices(ids: readonly string[], ...options: string[]): Promise<void> {
    for (const id of ids) this.boot(id, ...options);
    for (let there = 0; there < ids.length; )
      there = (await this.members()).filter(({ id, online }) => online && ids.includes(id)).length;
  }

  async members() {
    return (await readRegistry(this.agent, 'c')).members;
  }

  async rollOut(
    name: string,
    image: Uint8Array,
    changes: Partial<RolloutPlan> = {},
    previousImage: Uint8Array | null = null,
  ): Promise<RolloutSummary> {
    const store = await openStore(path.join(folder, 'c.sqlite'));
    closers.push(() => store.close());
    const plan: RolloutPlan = { ...examplePlan, waves: [2, { share: 1 }], gates: [], rollout: name, ...changes };
    const fleet = `${this.broker.uri}/c`;
    const row = await beginRollout(store, { plan, image, previousImage, fleet, uri: fleet }, () =>
      readRegistry(this.agent, 'c'),
    );
    return summarize(store, await leadRollout(store, this.agent, 'c', row.no));
  }

  /** The models that devices say they run. */
  async running(): Promise<Map<string, string | null>> {
    return new Map(
      (await this.members()).map(({ id, reported: { model } }) => [id, model === undefined ? null : hex(model)]),
    );
  }
}

const modelOf = (fill: number): string => sha256Hex(writeModel(int8Dense(4000, fill)));

run('devices in C and simulated ones take the same rollout, and the next one, and go back', async () => {
  const fleet = await CFleet.start();
  await fleet.devices(numberedIds('c', 6), '--tag', 'line=a');
  const simulated = await serveFleet(parseBrokerAddress(fleet.broker.uri), {
    fleet: 'c',
    ids: numberedIds('s', 6),
    target,
    keys: [readPublicKey(pair.publicKey, 'key')],
  });
  closers.push(() => simulated.close());
  expect((await fleet.members()).find(({ id }) => id === 'c1')?.reported).toMatchObject({
    target: target.id,
    tags: { line: 'a' },
    state: 'idle',
  });
  expect(await fleet.rollOut('first', imageOf(1))).toMatchObject({ phase: 'done', counts: { confirmed: 12 } });
  expect(new Set((await fleet.running()).values())).toEqual(new Set([modelOf(1)]));
  // No device is as quick as that.
  const gates = [
    { measure: 'latency', limitMs: 1e-6, factor: null, maxBad: 0, minimum: 1, confidence: 0.95, action: 'roll-back' },
  ] as const;
  const stopped = await fleet.rollOut('second', imageOf(2), { gates, waves: [{ share: 1 }] }, imageOf(1));
  expect(stopped).toMatchObject({ phase: 'stopped', by: 'gate' });
  expect(stopped.counts['rolled-back']).toBeGreaterThan(0);
  expect(new Set((await fleet.running()).values())).toEqual(new Set([modelOf(1)]));
});

run('a bundle that no key of theirs has signed, and one that is damaged on its way', async () => {
  const fleet = await CFleet.start();
  const ids = numberedIds('k', 3);
  await fleet.devices(ids);
  expect(await fleet.rollOut('foreign', imageOf(1, key))).toMatchObject({ phase: 'done', counts: { failed: 3 } });
  for (const { reported } of await fleet.members())
    expect(reported).toMatchObject({ state: 'failed', code: 'SIGNATURE_INVALID', rollout: 'foreign' });
  // One block is that of another image.
  const topics = fleetTopics('c');
  const [image, other] = [imageOf(3), imageOf(4)];
  const { sha, blockBytes } = await publishBundle(fleet.agent, 'c', image);
  await fleet.agent.publish(
    topics.block(hex(sha), 0, 2),
    deflateRawSync(other.subarray(2 * blockBytes, 3 * blockBytes), { windowBits: 10 }),
    { retain: true },
  );
  const desired = encodeDesired({
    rollout: 'damaged',
    attempt: 1,
    sha,
    len: image.byteLength,
    block: blockBytes,
    seed: 1,
  });
  for (const id of ids) await fleet.agent.publish(topics.desired(id), desired, { retain: true });
  const ended = async () =>
    (await fleet.members()).filter(({ reported: { rollout, state } }) => rollout === 'damaged' && state === 'failed');
  while ((await ended()).length < 3);
  for (const { reported } of await ended()) expect(reported).toMatchObject({ code: 'HASH_MISMATCH' });
  // Nothing of that runs.
  expect(new Set((await fleet.running()).values())).toEqual(new Set([null]));
});

run('power that fails in any state, blocks that are asked of the agent, and SMP beside it', async () => {
  const fleet = await CFleet.start();
  await fleet.devices(['p1', 'p2']);
  expect(await fleet.rollOut('base', imageOf(1))).toMatchObject({ phase: 'done', counts: { confirmed: 2 } });
  for (const [i, state] of ['downloading', 'verified', 'pending'].entries()) {
    const id = `q${i}`;
    const { ended } = fleet.boot(id, '--die-at', state);
    while ((await fleet.members()).every((member) => member.id !== id));
    const led = fleet.rollOut(`dies-${state}`, imageOf(4 + i), {
      source: i === 1 ? 'pull' : 'retained',
      select: { tags: {}, ids: [id, 'p1'], share: 1 },
    });
    expect(await ended).toBe(3);
    // The same board starts again, with what its flash kept.
    fleet.boot(id);
    expect(await led).toMatchObject({ phase: 'done', counts: { confirmed: 2 } });
    expect((await fleet.running()).get(id)).toBe(modelOf(4 + i));
  }
  const bundle = path.join(folder, 'signed.bundle');
  writeFiles(folder, { 'signed.bundle': imageOf(9) });
  const pushed = jsonOf(await atoll(['push', bundle, '--device', `${fleet.broker.uri}/c/p2`, '--json']));
  expect(pushed).toMatchObject({ state: 'confirmed', selfTest: { failed: 0 } });
  // Which it says by itself.
  expect((await fleet.running()).get('p2')).toBe(modelOf(9));
});

run('a model that does not survive its boots is given up, and not tried again by itself', async () => {
  const fleet = await CFleet.start();
  const first = fleet.boot('b1');
  while ((await fleet.members()).length === 0);
  expect(await fleet.rollOut('good', imageOf(1))).toMatchObject({ counts: { confirmed: 1 } });
  first.child.kill('SIGKILL');
  await first.ended;
  const led = fleet.rollOut('bad', imageOf(2), { waves: [1] });
  expect(await fleet.boot('b1', '--die-at', 'pending').ended).toBe(3);
  // It dies at once whenever it starts: three boots, of which none confirms the new model.
  for (let boots = 0; boots < 3; boots++) expect(await fleet.boot('b1', '--die-at', 'idle').ended).toBe(3);
  fleet.boot('b1');
  expect(await led).toMatchObject({ phase: 'done', counts: { 'rolled-back': 1 } });
  expect((await fleet.members())[0]?.reported).toMatchObject({ state: 'rolled-back', code: 'BOOT_ATTEMPTS' });
  expect((await fleet.running()).get('b1')).toBe(modelOf(1));
});
