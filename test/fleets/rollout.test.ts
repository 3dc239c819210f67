// Rollouts as their users run them: the command line in processes of its own, real brokers, simulated devices.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { sha256, sha256Hex } from '../../src/base/hashes.js';
import { buildSlotImage } from '../../src/devices/bundle/index.js';
import {
  type BrokerConnection,
  connectToBroker,
  fleetTopics,
  parseBrokerAddress,
} from '../../src/devices/mqtt/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { encodeReported } from '../../src/devices/protocol/index.js';
import { type FleetOptions, numberedIds, type ServedFleet, serveFleet } from '../../src/devices/simulated/index.js';
import { machineClock, readRegistry } from '../../src/fleet/index.js';
import { Listening } from '../../src/fleet/listening.js';
import { allShards, everConnected } from '../../src/fleet/registry.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import {
  type BrokerProcess,
  brokerProcess,
  embeddedBroker,
  freePort,
  mosquitto,
  type TestBroker,
} from '../support/brokers.js';
import { atoll, jsonOf } from '../support/cli.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { int8Dense } from '../support/models.js';
import { postgres } from '../support/postgres.js';
import { toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const target = await loadTarget('pico');
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const bundleOf = (fill: number, inputs = 4000): Uint8Array => {
  const model = int8Dense(inputs, fill);
  return buildSlotImage(writeModel(model), model, target, { version: `1.${fill}` });
};

/** `atoll rollout` in a process of its own. */
class Led {
  stdout = '';
  stderr = '';
  /** Its exit code, once all that it said was read. */
  readonly ended: Promise<number | null>;

  constructor(readonly child: ChildProcess) {
    child.stdout?.on('data', (text: Buffer) => {
      this.stdout += text.toString();
    });
    child.stderr?.on('data', (text: Buffer) => {
      this.stderr += text.toString();
    });
    this.ended = new Promise((resolve) => child.once('close', resolve));
  }

  /** A test that expected another exit code shows what it said. */
  async ends(code: number): Promise<void> {
    expect(await this.ended, this.stderr).toBe(code);
  }

  async says(text: string): Promise<void> {
    while (!this.stderr.includes(text)) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

let stores = 0;
/** A fleet at a broker, and the command line with a store of its own. */
class Plant {
  readonly uri: string;
  store = path.join(folder, `${stores++}.sqlite`);

  private constructor(readonly broker: TestBroker) {
    this.uri = `${broker.uri}/plant`;
  }

  static async at(start: () => Promise<TestBroker>): Promise<Plant> {
    const broker = await start();
    closers.push(broker.stop);
    return new Plant(broker);
  }

  async devices(
    count: number,
    options: Partial<FleetOptions> & { readonly prefix?: string } = {},
  ): Promise<ServedFleet> {
    const served = await serveFleet(parseBrokerAddress(this.broker.uri), {
      fleet: 'plant',
      ids: numberedIds(options.prefix ?? 'd', count),
      target,
      ...options,
    });
    closers.push(() => served.close());
    const agent = await this.connect();
    while (
      (await readRegistry(agent, 'plant')).members.filter(({ id }) => served.devices.some((device) => device.id === id))
        .length < count
    );
    return served;
  }

  async connect(): Promise<BrokerConnection> {
    const connection = await connectToBroker(parseBrokerAddress(this.broker.uri));
    closers.push(() => connection.close());
    return connection;
  }

  /** `atoll rollout ACTION`, to its end. */
  async rollout(
    ...args: string[]
  ): Promise<{ readonly code: number; readonly document: Record<string, unknown>; readonly stderr: string }> {
    const result = await atoll(['rollout', ...args, '--json'], { cwd: folder, env: this.environment });
    return { code: result.code, document: jsonOf(result), stderr: result.stderr };
  }

  /** The same, while the test goes on. */
  begin(...args: string[]): Led {
    const program = [path.resolve('bin/atoll.js'), 'rollout', ...args];
    const child = spawn(process.execPath, program, {
      cwd: folder,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const led = new Led(child);
    closers.push(async () => {
      child.kill('SIGKILL');
      await led.ended;
    });
    return led;
  }

  async until(holds: (summary: Record<string, unknown>) => boolean, name?: string): Promise<Record<string, unknown>> {
    for (;;) {
      const { code, document } = await this.rollout('status', ...(name === undefined ? [] : [name]));
      if (code <= 1 && holds(document)) return document;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  private get environment(): NodeJS.ProcessEnv {
    return { ...process.env, ATOLL_STORE: this.store };
  }
}

const planText = (name: string, bundle: string, more = ''): string =>
  `rollout: ${name}\nbundle: ${bundle}\nwaves: [2, 30%, 100%]\n${more}`;
writeFiles(folder, {
  'one.bundle': bundleOf(1),
  // Twice as large, and so twice as slow.
  'two.bundle': bundleOf(2, 8000),
  'one.yaml': planText('one', 'one.bundle'),
  'two.yaml': planText(
    'two',
    'two.bundle',
    'gates:\n  - { measure: confirmed, atLeast: 90% }\n  - { measure: latency, factor: 1.5, action: roll-back }\n',
  ),
});

const brokers: readonly [name: string, run: typeof test, start: () => Promise<TestBroker>][] = [
  ['our own broker', test, () => embeddedBroker()],
  ['mosquitto', toolTest('mosquitto') as typeof test, () => mosquitto(folder)],
];

describe.each(brokers)('at %s', (_name, run, start) => {
  run('a rollout reaches every device, wave by wave, and says so in every form', async () => {
    const plant = await Plant.at(start);
    const served = await plant.devices(30);
    const { code, document } = await plant.rollout(
      'start',
      'one.yaml',
      '--fleet',
      plant.uri,
      '--html',
      'r.html',
      '--markdown',
      'r.md',
      '--junit',
      'r.xml',
    );
    expect(code).toBe(0);
    expect(document).toMatchObject({
      rollout: 'one',
      phase: 'done',
      devices: 30,
      counts: { confirmed: 30 },
      wave: 3,
      files: ['r.html', 'r.md', 'r.xml'],
    });
    expect((document.waves as { devices: number }[]).map(({ devices }) => devices)).toEqual([2, 7, 21]);
    expect(new Set(served.devices.map(({ running }) => running))).toEqual(new Set([sha256Hex(bundleOf(1))]));
    expect(readFileSync(path.join(folder, 'r.html'), 'utf8')).toMatch(/<polyline[\s\S]*wave 3 began/);
    expect(readFileSync(path.join(folder, 'r.md'), 'utf8')).toMatch(/\| 3 \| 21 \| 21 \|/);
    expect(readFileSync(path.join(folder, 'r.xml'), 'utf8')).toMatch(/tests="5" failures="0"/);
    // The same once more is no work.
    const agent = await plant.connect();
    const before = await readRegistry(agent, 'plant');
    expect(await plant.rollout('start', 'one.yaml', '--fleet', plant.uri)).toMatchObject({
      code: 0,
      document: { phase: 'done', counts: { confirmed: 30 } },
    });
    expect(await readRegistry(agent, 'plant')).toEqual(before);
    // Another bundle under the same name is another matter.
    writeFiles(folder, { 'clash.yaml': planText('one', 'two.bundle') });
    expect(await plant.rollout('start', 'clash.yaml', '--fleet', plant.uri)).toMatchObject({
      code: 2,
      document: { error: { code: 'ROLLOUT_EXISTS' } },
    });
    const lines = (await atoll(['rollout', 'log', 'one', '--store', plant.store])).stdout.trim().split('\n');
    expect(
      lines.map((line) => JSON.parse(line) as { kind: string }).filter(({ kind }) => kind === 'wave'),
    ).toHaveLength(3);
  });

  run('a model that is too slow stops in its first wave, its devices go back, and late ones are served', async () => {
    const plant = await Plant.at(start);
    const served = await plant.devices(20);
    expect((await plant.rollout('start', 'one.yaml', '--fleet', plant.uri)).code).toBe(0);
    const { code, document } = await plant.rollout('start', 'two.yaml', '--fleet', plant.uri);
    expect(code).toBe(1);
    expect(document).toMatchObject({
      phase: 'stopped',
      by: 'gate',
      wave: 1,
      counts: { waiting: 18, 'rolled-back': 2 },
      reason: expect.stringContaining('gate 2, latency: 2 of 2 bad in wave 1'),
      previous: sha256Hex(bundleOf(1)),
    });
    expect(served.devices.every(({ running }) => running === sha256Hex(bundleOf(1)))).toBe(true);
    // The blocks of the one that was stopped are gone; those of the rollout before are there.
    const agent = await plant.connect();
    const left = new Set<string>();
    await agent.subscribe('atoll/plant/b/#', ({ topic }) => void left.add(topic.split('/')[3] ?? ''));
    await readRegistry(agent, 'plant');
    expect([...left]).toEqual([sha256Hex(bundleOf(1))]);
    expect(await plant.rollout('resume', 'two')).toMatchObject({
      code: 1,
      document: { error: { code: 'ROLLOUT_NOT_NOW' } },
    });
    // More come to the fleet: the rollout that is done has them too.
    const late = await plant.devices(5, { prefix: 'late' });
    const { document: joined } = await plant.rollout('start', 'one.yaml', '--fleet', plant.uri);
    expect(joined).toMatchObject({ phase: 'done', devices: 25, counts: { confirmed: 25 } });
    expect(late.devices.every(({ running }) => running === sha256Hex(bundleOf(1)))).toBe(true);
  });

  run('pause, resume, abort, retry and status from another terminal', async () => {
    const plant = await Plant.at(start);
    await plant.devices(24, { faults: [{ name: 'wrong-result', share: 0.2 }], seed: 4 });
    writeFiles(folder, { 'slow.yaml': planText('slow', 'one.bundle', 'concurrency: 1\ngates: []\n') });
    const led = plant.begin('start', 'slow.yaml', '--fleet', plant.uri);
    await plant.until(({ counts }) => ((counts as { confirmed?: number }).confirmed ?? 0) >= 2);
    expect(await plant.rollout('pause')).toMatchObject({ code: 0, document: { phase: 'paused', by: 'user' } });
    const paused = await plant.until(({ counts }) =>
      Object.keys(counts as object).every((phase) => ['waiting', 'confirmed', 'failed'].includes(phase)),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await plant.rollout('status')).document.counts).toEqual(paused.counts);
    expect(await plant.rollout('resume', 'slow')).toMatchObject({ document: { phase: 'running' } });
    await led.ends(0);
    expect(led.stdout).toContain('rollout slow: done');
    const { counts } = (await plant.rollout('status')).document as { counts: Record<string, number> };
    expect(counts.failed).toBeGreaterThan(0);
    // Nobody leads any more: who says the word does what it takes.
    const failed = counts.failed as number;
    expect(await plant.rollout('retry')).toMatchObject({ code: 0, document: { phase: 'done', counts: { failed } } });
    const log = (await atoll(['rollout', 'log', 'slow', '--store', plant.store])).stdout;
    expect(log.match(/"phase":"failed"/g)).toHaveLength(2 * failed);
    expect(await plant.rollout('abort')).toMatchObject({ code: 1, document: { error: { code: 'ROLLOUT_NOT_NOW' } } });
    expect(await plant.rollout('status', 'nothing')).toMatchObject({
      code: 2,
      document: { error: { code: 'ROLLOUT_UNKNOWN', message: expect.stringContaining('slow') } },
    });
  });

  run('an agent that is killed again and again: the next one goes on, and the end is the same', async () => {
    const plant = await Plant.at(start);
    const served = await plant.devices(20);
    writeFiles(folder, { 'kill.yaml': planText('kill', 'one.bundle', 'concurrency: 2\n') });
    let kills = 0;
    for (; ; kills++) {
      const led = plant.begin('start', 'kill.yaml', '--fleet', plant.uri, '--quiet');
      const timer = setTimeout(() => led.child.kill('SIGKILL'), 900 + 150 * kills);
      const code = await led.ended;
      clearTimeout(timer);
      if (code === 0) break;
      expect(led.child.signalCode).toBe('SIGKILL');
    }
    expect(kills).toBeGreaterThan(1);
    expect((await plant.rollout('status')).document).toMatchObject({ phase: 'done', counts: { confirmed: 20 } });
    expect(served.devices.every(({ running }) => running === sha256Hex(bundleOf(1)))).toBe(true);
    // Nobody was told twice: one attempt each.
    const agent = await plant.connect();
    const { members } = await readRegistry(agent, 'plant');
    expect(members.map(({ reported }) => reported.attempt)).toEqual(Array.from({ length: 20 }, () => 1));
  });

  run('two agents: one leads, the other waits, and leads when the first is gone', async () => {
    const plant = await Plant.at(start);
    await plant.devices(40);
    writeFiles(folder, { 'two-agents.yaml': planText('two-agents', 'one.bundle', 'concurrency: 1\n') });
    const first = plant.begin('start', 'two-agents.yaml', '--fleet', plant.uri);
    await first.says('wave 1 begins');
    const second = plant.begin('start', 'two-agents.yaml', '--fleet', plant.uri);
    await second.says(`another agent leads two-agents`);
    expect(second.stderr).toContain(`process ${first.child.pid}`);
    first.child.kill('SIGKILL');
    await first.ended;
    await second.ends(0);
    expect((await plant.rollout('status')).document).toMatchObject({ phase: 'done', counts: { confirmed: 40 } });
  });

  run('blocks that no broker retains are asked of the agent', async () => {
    const plant = await Plant.at(start);
    const served = await plant.devices(8);
    writeFiles(folder, { 'pull.yaml': planText('pull', 'one.bundle', 'source: pull\n') });
    const agent = await plant.connect();
    const blocks: string[] = [];
    await agent.subscribe('atoll/plant/b/#', ({ topic }) => void blocks.push(topic));
    expect((await plant.rollout('start', 'pull.yaml', '--fleet', plant.uri)).document).toMatchObject({
      phase: 'done',
      counts: { confirmed: 8 },
    });
    expect(served.devices.every(({ running }) => running === sha256Hex(bundleOf(1)))).toBe(true);
    expect(blocks).toEqual([]);
  });

  run('a device of a fleet is a device like any other: pushed to, run, and rolled out to again', async () => {
    const plant = await Plant.at(start);
    await plant.devices(3);
    writeFiles(folder, { 'model.tflite': writeModel(int8Dense(4000, 9)), 'input.bin': new Uint8Array(4000).fill(3) });
    const over = async (...args: string[]) =>
      jsonOf(await atoll([...args, '--device', `${plant.uri}/d2`, '--json'], { cwd: folder }));
    expect(await over('push', 'model.tflite')).toMatchObject({ state: 'confirmed', selfTest: { failed: 0 } });
    expect(await over('run', 'model.tflite', '--input', 'input.bin')).toMatchObject({
      measurement: { agreement: { agrees: true } },
    });
    expect((await plant.rollout('start', 'one.yaml', '--fleet', plant.uri)).document).toMatchObject({
      counts: { confirmed: 3 },
    });
    const client = await openDevice(`${plant.uri}/d2`, { retries: { timeoutMs: 1000, attempts: 3 } });
    expect((await client.slots()).find(({ active }) => active)).toMatchObject({
      confirmed: true,
      sha: sha256(bundleOf(1)),
    });
    await client.close();
  });
});

toolTest('mosquitto')(
  'mosquitto ends in the midst of it, has forgotten everything it retained, and comes back',
  async () => {
    const port = await freePort();
    const first = await mosquitto(folder, { port });
    const plant = await Plant.at(async () => first);
    closers.pop();
    const served = await plant.devices(30);
    writeFiles(folder, { 'restart.yaml': planText('restart', 'one.bundle', 'concurrency: 3\n') });
    const led = plant.begin('start', 'restart.yaml', '--fleet', plant.uri);
    await led.says('wave 2 begins');
    await first.stop();
    const second = await mosquitto(folder, { port });
    await led.ends(0);
    expect((await plant.rollout('status')).document).toMatchObject({ phase: 'done', counts: { confirmed: 30 } });
    expect(served.devices.every(({ running }) => running === sha256Hex(bundleOf(1)))).toBe(true);
    for (const close of closers.splice(0).reverse()) await close();
    await second.stop();
  },
);

const persistent: readonly [
  name: string,
  run: typeof test,
  start: (port: number, data: string) => Promise<BrokerProcess>,
][] = [
  ['our own broker', test, (port, data) => brokerProcess(data, port)],
  [
    'mosquitto',
    toolTest('mosquitto') as typeof test,
    (port, data) =>
      mosquitto(folder, {
        port,
        config: ['allow_anonymous true', 'persistence true', `persistence_location ${data}/`, 'autosave_interval 1'],
      }),
  ],
];
for (const [name, run, start] of persistent) {
  run(`${name} keeps what it retains in a folder: it is killed twice in the midst, and the rollout ends`, async () => {
    const [port, data] = [await freePort(), temporaryFolder()];
    let broker = await start(port, data);
    const plant = await Plant.at(async () => ({ uri: broker.uri, stop: () => broker.stop() }));
    const served = await plant.devices(30);
    writeFiles(folder, { 'kept.yaml': planText('kept', 'one.bundle', 'concurrency: 2\nexpect: 30\n') });
    const led = plant.begin('start', 'kept.yaml', '--fleet', plant.uri);
    for (const wave of [2, 3]) {
      await led.says(`wave ${wave} begins`);
      await broker.kill();
      await led.says('no connection to the broker');
      broker = await start(port, data);
    }
    await led.ends(0);
    expect((await plant.rollout('status')).document).toMatchObject({
      phase: 'done',
      devices: 30,
      counts: { confirmed: 30 },
      broker: null,
    });
    expect(served.devices.every(({ running }) => running === sha256Hex(bundleOf(1)))).toBe(true);
    const log = (await atoll(['rollout', 'log', 'kept', '--store', plant.store])).stdout;
    expect(log.match(/"kind":"broker","connected":false/g)?.length).toBeGreaterThanOrEqual(2);
    expect(log.match(/"kind":"broker","connected":true/g)?.length).toBeGreaterThanOrEqual(2);
  });
}

describe.each(brokers)('reading a fleet at %s', (_name, run, start) => {
  run('several readings at once over one connection: each is as quick and as whole as alone', async () => {
    const plant = await Plant.at(start);
    await plant.devices(20);
    const agent = await plant.connect();
    const began = performance.now();
    const registries = await Promise.all([
      readRegistry(agent, 'plant'),
      everConnected(agent, 'plant', ['d01', 'd20', 'nobody']),
      everConnected(agent, 'plant', ['d02']),
    ]);
    // A reading that loses its mark to another waits for five seconds.
    expect(performance.now() - began).toBeLessThan(4500);
    expect(registries[0].members).toHaveLength(20);
    expect([...registries[1]].sort()).toEqual(['d01', 'd20']);
    expect([...registries[2]]).toEqual(['d02']);
  });

  run('a device whose clock is set back in the midst and that restarts is heard again', async () => {
    const plant = await Plant.at(start);
    const served = await plant.devices(4);
    const agent = await plant.connect();
    const listening = new Listening(agent, 'plant', machineClock);
    await listening.begin();
    const first = served.devices[0]?.id as string;
    await listening.read(allShards);
    await expect.poll(() => listening.drain().get(first)?.retained).toBe(true);
    // What is published now is no retained message, whatever else is subscribed to.
    await agent.publish(
      fleetTopics('plant').reported(first),
      encodeReported({ seq: 5, target: 'pico', state: 'idle' }),
      { retain: true },
    );
    let live: { readonly retained: boolean } | undefined;
    await expect
      .poll(() => (live ??= listening.drain().get(first)))
      .toMatchObject({ retained: false, reported: { seq: 5 } });
    await listening.read(allShards);
    await expect.poll(() => listening.drain().get(first)).toMatchObject({ retained: true, reported: { seq: 5 } });
  });
});

test('reports of devices that were never connected: no rollout takes them, and they are named', async () => {
  const plant = await Plant.at(() => embeddedBroker());
  await plant.devices(10);
  const agent = await plant.connect();
  const topics = fleetTopics('plant');
  const ghost = (id: string) =>
    agent.publish(topics.reported(id), encodeReported({ seq: 2 ** 40, target: 'pico', state: 'idle' }), {
      retain: true,
    });
  for (let i = 0; i < 8; i++) await ghost(`ghost${i}`);
  writeFiles(folder, { 'ghosts.yaml': planText('ghosts', 'one.bundle', 'expect: 10\nconcurrency: 1\n') });
  const neverConnected = Array.from({ length: 8 }, (_, i) => `ghost${i}`);
  expect((await plant.rollout('plan', 'ghosts.yaml', '--fleet', plant.uri)).document).toMatchObject({
    devices: 10,
    neverConnected,
  });
  expect(jsonOf(await atoll(['devices', plant.uri, '--json']))).toMatchObject({ neverConnected });
  const led = plant.begin('start', 'ghosts.yaml', '--fleet', plant.uri);
  await led.says('wave 1 begins');
  // The plan expects ten: neither a ghost nor a device that comes now joins.
  await ghost('late-ghost');
  await plant.devices(1, { prefix: 'late' });
  await led.says('not in the rollout, which expects a fixed number of devices: late');
  await led.ends(0);
  expect(led.stderr).toMatch(/never connected to the broker .*: ghost0, ghost1/);
  expect((await plant.rollout('status')).document).toMatchObject({
    phase: 'done',
    devices: 10,
    counts: { confirmed: 10 },
  });
  // Without `expect` the device joins, and the ghosts do not.
  writeFiles(folder, { 'open.yaml': planText('open', 'two.bundle', 'concurrency: 1\ngates: []\n') });
  const open = plant.begin('start', 'open.yaml', '--fleet', plant.uri);
  await open.says('wave 1 begins');
  await ghost('later-ghost');
  await open.says('never connected to the broker (anyone may have written their reports): later-ghost');
  await plant.devices(2, { prefix: 'newer' });
  await open.ends(0);
  expect((await plant.rollout('status', 'open')).document).toMatchObject({
    phase: 'done',
    devices: 13,
    counts: { confirmed: 13 },
  });
});

test('a device that is gone can be forgotten, a connected one cannot', async () => {
  const plant = await Plant.at(() => embeddedBroker());
  const gone = await plant.devices(1, { prefix: 'gone' });
  await plant.devices(2);
  const forget = async (...ids: string[]) =>
    jsonOf(await atoll(['devices', plant.uri, '--json', ...ids.flatMap((id) => ['--forget', id])]));
  expect(await forget('gone1')).toMatchObject({
    error: { code: 'FLEET_DEVICE', message: expect.stringContaining('online') },
  });
  await gone.close();
  expect(await forget('gone1', 'nobody')).toMatchObject({
    error: {
      code: 'FLEET_DEVICE',
      message: expect.stringContaining('nobody of fleet plant: the broker has no messages of it'),
    },
  });
  const agent = await plant.connect();
  expect((await readRegistry(agent, 'plant')).members).toHaveLength(3);
  expect(await forget('gone1')).toMatchObject({ forgotten: ['gone1'] });
  expect((await readRegistry(agent, 'plant')).members.map(({ id }) => id)).toEqual(['d1', 'd2']);
  expect(jsonOf(await atoll(['devices', '--forget', 'd1', '--json']))).toMatchObject({ error: { code: 'USAGE' } });
});

test('a rollout without a plan, by options', async () => {
  const plant = await Plant.at(() => embeddedBroker());
  await plant.devices(6, { tags: { line: 'a' } });
  await plant.devices(3, { prefix: 'other', tags: { line: 'b' } });
  const flags = [
    '--bundle',
    'one.bundle',
    '--waves',
    '1,50%,100%',
    '--tag',
    'line=a',
    '--concurrency',
    '2',
    '--fleet',
    plant.uri,
  ];
  expect(await plant.rollout('plan', ...flags)).toMatchObject({ code: 0, document: { rollout: 'one', devices: 6 } });
  const { document } = await plant.rollout('start', ...flags);
  expect(document).toMatchObject({ rollout: 'one', phase: 'done', devices: 6, counts: { confirmed: 6 } });
  expect((document.waves as { devices: number }[]).map(({ devices }) => devices)).toEqual([1, 2, 3]);
  const refused = async (...args: string[]) =>
    (await plant.rollout('start', '--fleet', plant.uri, ...args)).document.error;
  expect(await refused('--bundle', 'one.bundle', '--waves', '1,x')).toMatchObject({
    code: 'ROLLOUT_PLAN',
    message: expect.stringContaining('waves'),
  });
  expect(await refused('one.yaml', '--bundle', 'one.bundle')).toMatchObject({ code: 'USAGE' });
  expect(await refused()).toMatchObject({ code: 'USAGE', message: expect.stringContaining('--bundle') });
});

toolTest('postgres', 'mosquitto')(
  'PostgreSQL as the store: agents on two machines, of which one is killed',
  async () => {
    const plant = await Plant.at(() => mosquitto(folder));
    const database = await postgres();
    closers.push(database.stop);
    plant.store = database.url;
    await plant.devices(15);
    writeFiles(folder, { 'pg.yaml': planText('pg', 'one.bundle', 'concurrency: 2\n') });
    const first = plant.begin('start', 'pg.yaml', '--fleet', plant.uri);
    const second = plant.begin('start', 'pg.yaml', '--fleet', plant.uri);
    await plant.until(({ counts }) => ((counts as { confirmed?: number }).confirmed ?? 0) >= 3);
    first.child.kill('SIGKILL');
    await first.ended;
    await second.ends(0);
    expect((await plant.rollout('list')).document).toMatchObject({ rollouts: [{ rollout: 'pg', phase: 'done' }] });
  },
);

toolTest('postgres')(
  'PostgreSQL is restarted twice while two agents are there: they wait for it, and the rollout ends',
  async () => {
    const plant = await Plant.at(() => embeddedBroker());
    const database = await postgres();
    closers.push(database.stop);
    plant.store = database.url;
    const served = await plant.devices(20);
    writeFiles(folder, { 'away.yaml': planText('away', 'one.bundle', 'concurrency: 1\n') });
    const first = plant.begin('start', 'away.yaml', '--fleet', plant.uri);
    await first.says('wave 1 begins');
    const second = plant.begin('start', 'away.yaml', '--fleet', plant.uri);
    await second.says('another agent leads away');
    for (const wave of [2, 3]) {
      await Promise.any([first.says(`wave ${wave} begins`), second.says(`wave ${wave} begins`)]);
      await database.halt();
      await Promise.any([first.says('no connection to the store'), second.says('no connection to the store')]);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await database.resume();
      await Promise.any([first.says('the store is back'), second.says('the store is back')]);
    }
    await Promise.all([first.ends(0), second.ends(0)]);
    expect((await plant.rollout('status')).document).toMatchObject({ phase: 'done', counts: { confirmed: 20 } });
    expect(served.devices.every(({ running }) => running === sha256Hex(bundleOf(1)))).toBe(true);
    // Nobody was told twice.
    const { members } = await readRegistry(await plant.connect(), 'plant');
    expect(members.map(({ reported }) => reported.attempt)).toEqual(Array.from({ length: 20 }, () => 1));
  },
);

test('metrics for Prometheus, while an agent leads the rollout', async () => {
  const plant = await Plant.at(() => embeddedBroker());
  await plant.devices(5);
  writeFiles(folder, { 'metrics.yaml': planText('metrics', 'one.bundle', 'concurrency: 1\n') });
  const led = plant.begin('start', 'metrics.yaml', '--fleet', plant.uri, '--metrics', '19464');
  await plant.until(({ counts }) => ((counts as { confirmed?: number }).confirmed ?? 0) >= 1);
  const text = await (await fetch('http://127.0.0.1:19464/metrics')).text();
  expect(text).toMatch(/atoll_rollout_devices\{wave="1",phase="confirmed",rollout="metrics",target="pico"\} [12]/);
  expect(text).toMatch(/# TYPE atoll_rollout_wave gauge/);
  await led.ends(0);
});

test('every obstacle to a rollout has a coded error', async () => {
  const plant = await Plant.at(() => embeddedBroker());
  const start = async (plan: string, fleet = plant.uri) =>
    (await plant.rollout('start', plan, '--fleet', fleet)).document as { error: { code: string; message: string } };
  expect((await start('one.yaml', 'mqtt://127.0.0.1:1/plant')).error).toMatchObject({ code: 'BROKER_UNREACHABLE' });
  expect((await start('one.yaml', plant.broker.uri)).error).toMatchObject({ code: 'BROKER_ADDRESS' });
  expect((await start('one.yaml')).error).toMatchObject({
    code: 'ROLLOUT_PLAN',
    message: expect.stringContaining('no device of pico'),
  });
  expect((await start('two.yaml')).error).toMatchObject({
    code: 'ROLLOUT_PLAN',
    message: expect.stringContaining('name it with `previous`'),
  });
  expect((await plant.rollout('start', 'one.yaml')).document).toMatchObject({
    error: { code: 'USAGE', message: expect.stringContaining('--fleet') },
  });
  expect((await plant.rollout('status')).document).toMatchObject({ error: { code: 'ROLLOUT_UNKNOWN' } });
  // Messages that are none, from whomever, change nothing.
  await plant.devices(3);
  const agent = await plant.connect();
  const topics = fleetTopics('plant');
  await agent.publish(topics.reported('intruder'), new Uint8Array(100_000).fill(0xff), { retain: true });
  await agent.publish(topics.blockRequest('d1'), Buffer.from('nonsense'));
  const led = plant.begin('start', 'one.yaml', '--fleet', plant.uri);
  await agent.publish(topics.reported('d1'), Buffer.from('nonsense'));
  await agent.publish(topics.blockRequest('d1'), Buffer.from([0xa1]));
  await led.ends(0);
  expect((await plant.rollout('status')).document).toMatchObject({ phase: 'done', counts: { confirmed: 3 } });
});
