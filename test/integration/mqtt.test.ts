// Devices behind MQTT: every verb works over a broker, ours and mosquitto, and what stands in the way has a coded
// error.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import mqttPacket from 'mqtt-packet';
import { afterEach, describe, expect, test } from 'vitest';
import type { DeviceClient } from '../../src/devices/client/index.js';
import { connectToBroker, parseBrokerAddress, startBroker } from '../../src/devices/mqtt/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { SimulatedDevice, serveFleet } from '../../src/devices/simulated/index.js';
import { listen } from '../../src/devices/transport/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { certificates, embeddedBroker, mosquitto, type TestBroker } from '../support/brokers.js';
import { atoll, jsonOf } from '../support/cli.js';
import { conforms } from '../support/conformance.js';
import { simulateDevice } from '../support/device-process.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { int8Dense } from '../support/models.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const target = await loadTarget('qemu-mps2-an386');
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
const retries = { timeoutMs: 1000, attempts: 4 };

/** A simulated device behind a broker. */
async function serve(uri: string): Promise<SimulatedDevice> {
  const device = new SimulatedDevice(target);
  const listener = await listen(uri, (transport) => device.serve(transport));
  closers.push(() => listener.close());
  return device;
}

async function open(uri: string): Promise<DeviceClient> {
  const device = await openDevice(uri, { retries });
  closers.push(() => device.close());
  return device;
}

const brokers: readonly [name: string, run: typeof test, start: () => Promise<TestBroker>][] = [
  ['our own broker', test, () => embeddedBroker()],
  ['mosquitto', toolTest('mosquitto') as typeof test, () => mosquitto(folder)],
];

for (const [name, , start] of brokers) {
  conforms(`a device behind ${name}`, name === 'mosquitto' ? ['mosquitto'] : [], target.id, async () => {
    const broker = await start();
    const device = new SimulatedDevice(target);
    const listener = await listen(`${broker.uri}/plant/d1`, (transport) => device.serve(transport));
    const client = await openDevice(`${broker.uri}/plant/d1`, { retries });
    const stop = async (): Promise<number | null> => {
      await listener.close();
      await broker.stop();
      return null;
    };
    return [client, { uri: `${broker.uri}/plant/d1`, child: null as never, stop }];
  });
}

describe.each(brokers)('%s', (_name, run, start) => {
  run('push and run over it, from the command line, with a device in another process', async () => {
    const broker = await start();
    closers.push(broker.stop);
    writeFiles(folder, { 'model.tflite': writeModel(int8Dense(300)), 'input.bin': new Uint8Array(300 * 5).fill(3) });
    const device = await simulateDevice('--target', target.id, '--listen', `${broker.uri}/plant/press-7`);
    closers.push(device.stop);
    const over = async (...args: string[]) =>
      jsonOf(await atoll([...args, '--device', device.uri, '--json'], { cwd: folder }));
    expect(await over('push', 'model.tflite')).toMatchObject({ state: 'confirmed', selfTest: { failed: 0 } });
    expect(await over('run', 'model.tflite', '--input', 'input.bin')).toMatchObject({
      measurement: { agreement: { agrees: true } },
    });
    await device.stop();
    expect(await over('push', 'model.tflite')).toMatchObject({
      error: { code: 'DEVICE_UNREACHABLE', message: expect.stringContaining('offline') },
    });
  });

  run('a device that nobody knows, and one that goes away', async () => {
    const broker = await start();
    closers.push(broker.stop);
    await expect(open(`${broker.uri}/plant/ghost`)).rejects.toMatchObject({
      code: 'DEVICE_UNREACHABLE',
      message: expect.stringContaining('no device of this name'),
    });
    const process = await simulateDevice('--target', target.id, '--listen', `${broker.uri}/plant/d2`);
    const device = await open(process.uri);
    expect(await device.describe()).toMatchObject({ target: target.id });
    process.child.kill('SIGKILL');
    // Its last will tells.
    await expect(
      (async () => {
        for (;;) await device.slots();
      })(),
    ).rejects.toMatchObject({ code: expect.stringMatching(/DEVICE_CLOSED|DEVICE_TIMEOUT/) });
  });

  run('several clients at once, and messages of any kind on its topics', async () => {
    const broker = await start();
    closers.push(broker.stop);
    const uri = `${broker.uri}/plant/d3`;
    await serve(uri);
    const stranger = await connectToBroker(parseBrokerAddress(uri));
    closers.push(() => stranger.close());
    for (const payload of [
      new Uint8Array(0),
      new Uint8Array(7),
      new Uint8Array(70_000).fill(255),
      Buffer.from('hello'),
    ]) {
      await stranger.publish('atoll/plant/d/d3/smp/req/stranger', payload);
    }
    const clients = await Promise.all([open(uri), open(uri), open(uri)]);
    const echoes = await Promise.all(clients.map((client, i) => client.echo(`client ${i}`)));
    expect(echoes).toHaveLength(3);
    // And on the client's side.
    const answers: number[] = [];
    await stranger.subscribe('atoll/plant/d/d3/smp/rsp/+', ({ topic }) => {
      answers.push(topic.length);
      void stranger.publish(topic, Buffer.from('no packet')).catch(() => undefined);
    });
    for (const client of clients) expect((await client.slots()).length).toBe(2);
    expect(answers.length).toBeGreaterThan(0);
  });
});

test('after a restart of the broker the device reconnects and continues', async () => {
  const data = path.join(folder, 'broker');
  const first = await embeddedBroker(data);
  const port = Number(new URL(first.uri).port);
  const uri = `${first.uri}/plant/d4`;
  await serve(uri);
  const device = await openDevice(uri, { retries: { timeoutMs: 1000, attempts: 10 } });
  closers.push(() => device.close());
  expect((await device.slots()).length).toBe(2);
  await first.stop();
  const asked = device.slots();
  const second = await embeddedBroker(data, port);
  closers.push(second.stop);
  expect((await asked).length).toBe(2);
});

/** Stands between a client and a broker, and can be taken away. */
async function cable(
  to: string,
): Promise<{ readonly uri: string; readonly cut: () => Promise<void>; readonly mend: () => Promise<void> }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((near) => {
    const far = net.connect(Number(new URL(to).port), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  const listen = (port: number): Promise<void> => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await listen(0);
  const { port } = server.address() as net.AddressInfo;
  return { uri: `mqtt://127.0.0.1:${port}`, cut, mend: () => listen(port) };
}

for (const [name, run, start] of brokers) {
  run(`${name} keeps what comes for a client while its cable is out, where it asks for that`, async () => {
    const broker = await start();
    closers.push(broker.stop);
    const line = await cable(broker.uri);
    closers.push(() => line.cut());
    const heard = async (options: string, clientId: string) => {
      const client = await connectToBroker(parseBrokerAddress(`${line.uri}?version=4${options}`), { clientId });
      const payloads: string[] = [];
      await client.subscribe('x', ({ payload }) => void payloads.push(Buffer.from(payload).toString()));
      const back = new Promise<void>((resolve) => {
        client.onChange = (connected) => {
          if (connected) resolve();
        };
      });
      closers.push(() => client.close());
      return { payloads, back };
    };
    const [keeper, forgetter] = [await heard('&session=keep', 'keeper'), await heard('', 'forgetter')];
    await line.cut();
    const other = await connectToBroker(parseBrokerAddress(broker.uri));
    closers.push(() => other.close());
    await other.publish('x', 'while they were away');
    await line.mend();
    await Promise.all([keeper.back, forgetter.back]);
    while (keeper.payloads.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(keeper.payloads).toEqual(['while they were away']);
    expect(forgetter.payloads).toEqual([]);
  });
}

test('retained messages survive a broker with a folder, and no two brokers share one', async () => {
  const data = path.join(folder, 'kept');
  const first = await embeddedBroker(data);
  const writer = await connectToBroker(parseBrokerAddress(first.uri));
  await writer.publish('atoll/plant/d/x/alive', 'online', { retain: true });
  await writer.close();
  await expect(embeddedBroker(data)).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' });
  await first.stop();
  const second = await embeddedBroker(data);
  closers.push(second.stop);
  const reader = await connectToBroker(parseBrokerAddress(second.uri));
  closers.push(() => reader.close());
  const seen = await new Promise<string>((resolve) => {
    void reader.subscribe('atoll/plant/d/+/alive', ({ payload, retained }) =>
      resolve(`${Buffer.from(payload)} ${retained}`),
    );
  });
  expect(seen).toBe('online true');
});

const withMosquitto = toolTest('mosquitto', 'openssl');

withMosquitto('user and password, and rights: a device writes under its own id alone', async () => {
  const acl = readFileSync(path.resolve('examples/fleet/mosquitto.acl'), 'utf8');
  writeFiles(folder, { 'acl.txt': acl });
  // mosquitto_passwd's own format, made without it: the file is converted at its start.

  const passwords = path.join(folder, 'passwords');
  writeFiles(folder, { passwords: 'agent:agent-word\nd5:device-word\nd6:other-word\n' });
  execFileSync('mosquitto_passwd', ['-U', passwords]);
  const broker = await mosquitto(folder, {
    config: ['allow_anonymous false', `password_file ${passwords}`, `acl_file ${path.join(folder, 'acl.txt')}`],
  });
  closers.push(broker.stop);
  const at = (user: string): string => broker.uri.replace('://', `://${user}@`);
  await expect(open(`${broker.uri}/plant/d5`)).rejects.toMatchObject({ code: 'BROKER_REFUSED' });
  await expect(open(`${at('agent:wrong')}/plant/d5`)).rejects.toMatchObject({
    code: 'BROKER_REFUSED',
    message: expect.not.stringContaining('wrong'),
  });
  await serve(`${at('d5:device-word')}/plant/d5`);
  const device = await open(`${at('agent:agent-word')}/plant/d5`);
  expect(await device.describe()).toMatchObject({ target: target.id });
  // Another device claims its id: its words do not arrive, and the broker says so.
  const impostor = await connectToBroker(parseBrokerAddress(`${at('d6:other-word')}/plant`));
  closers.push(() => impostor.close());
  await expect(impostor.publish('atoll/plant/d/d5/alive', 'offline', { retain: true })).rejects.toMatchObject({
    code: 'BROKER_REFUSED',
  });
  await expect(impostor.publish('atoll/plant/r/00/d5', 'confirmed', { retain: true })).rejects.toMatchObject({
    code: 'BROKER_REFUSED',
  });
  await impostor.publish('atoll/plant/d/d6/alive', 'online', { retain: true });
  expect((await device.slots()).length).toBe(2);
});

withMosquitto('a device with the credentials of another is told so, and does not claim to be there', async () => {
  const own = temporaryFolder();
  const passwords = path.join(own, 'passwords');
  writeFiles(own, {
    'acl.txt': readFileSync(path.resolve('examples/fleet/mosquitto.acl'), 'utf8'),
    passwords: 'd5:device-word\nd6:other-word\n',
  });
  execFileSync('mosquitto_passwd', ['-U', passwords]);
  const broker = await mosquitto(own, {
    config: ['allow_anonymous false', `password_file ${passwords}`, `acl_file ${path.join(own, 'acl.txt')}`],
  });
  closers.push(broker.stop);
  const listen = (user: string, more = ''): string => `${broker.uri.replace('://', `://${user}@`)}/plant/d5${more}`;
  const simulate = (uri: string) => atoll(['simulate-device', '--target', target.id, '--listen', uri, '--json']);
  const refused = await simulate(listen('d6:other-word'));
  expect(refused.code).toBe(4);
  expect(jsonOf(refused)).toMatchObject({
    error: {
      code: 'BROKER_REFUSED',
      message: expect.stringContaining('publishing to atoll/plant/d/d5/alive: not authorized'),
    },
  });
  expect(jsonOf(await simulate(listen('d5:wrong')))).toMatchObject({
    error: { code: 'BROKER_REFUSED', message: expect.stringContaining('not authorized') },
  });
  // MQTT 3.1.1 has no way to refuse a message: the device notices that it does not come back.
  const silent = await serveFleetAt(listen('d6:other-word', '?version=4'));
  expect(silent).toEqual([expect.stringContaining('d5: the broker does not return what this device publishes')]);
  expect(await serveFleetAt(listen('d5:device-word', '?version=4'))).toEqual([]);
});

/** Serves one device for a moment. @returns what it complains of */
async function serveFleetAt(uri: string): Promise<string[]> {
  const troubles: string[] = [];
  const served = await serveFleet(parseBrokerAddress(uri), {
    fleet: 'plant',
    ids: ['d5'],
    target,
    onTrouble: (text) => troubles.push(text),
  });
  await served.close();
  return troubles;
}

withMosquitto('TLS: a broker that shows who it is, clients that show who they are', async () => {
  const at = certificates(folder, ['agent', 'd7']);
  const config = [
    'allow_anonymous false',
    `cafile ${at('ca.crt')}`,
    `certfile ${at('broker.crt')}`,
    `keyfile ${at('broker.key')}`,
  ];
  const broker = await mosquitto(folder, {
    scheme: 'mqtts',
    config: [...config, 'require_certificate true', 'use_identity_as_username true'],
  });
  closers.push(broker.stop);
  const as = (who: string, ca = 'ca'): string =>
    `?ca=${at(`${ca}.crt`)}&cert=${at(`${who}.crt`)}&key=${at(`${who}.key`)}`;
  await serve(`${broker.uri}/plant/d7${as('d7')}`);
  const device = await open(`${broker.uri}/plant/d7${as('agent')}`);
  expect(await device.describe()).toMatchObject({ target: target.id });
  const refused = async (uri: string, code: string, text: string) =>
    await expect(open(uri)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
  await refused(`${broker.uri}/plant/d7${as('agent', 'other-ca')}`, 'BROKER_TLS', 'signed by an unknown authority');
  await refused(
    `${broker.uri}/plant/d7${as('stranger')}`,
    'BROKER_TLS',
    "does not know the authority that signed this client's certificate",
  );
  await refused(`${broker.uri}/plant/d7?ca=${at('ca.crt')}`, 'BROKER_TLS', 'requires a client certificate');
  await refused(
    `${broker.uri.replace('127.0.0.1', 'localhost')}/plant/d7${as('agent')}`,
    'BROKER_TLS',
    'its certificate is for IP Address:127.0.0.1',
  );
  await refused(
    `${broker.uri}/plant/d7?ca=${at('ca.crt')}&cert=${at('agent.crt')}&key=${at('d7.key')}`,
    'BROKER_TLS',
    'do not belong together',
  );
  await refused(`${broker.uri}/plant/d7?ca=${at('broker.ext')}`, 'BROKER_TLS', 'not a PEM file with a certificate');
  await refused(`${broker.uri.replace('mqtts', 'mqtt')}/plant/d7`, 'BROKER_UNREACHABLE', 'without an answer');
  const plain = await mosquitto(temporaryFolder());
  closers.push(plain.stop);
  await refused(
    `${plain.uri.replace('mqtt:', 'mqtts:')}/plant/d7`,
    'BROKER_UNREACHABLE',
    'the port may be without TLS',
  );
});

test('no broker is running', async () => {
  await expect(open('mqtt://127.0.0.1:1/plant/d')).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' });
  await expect(open('mqtt://127.0.0.1:1/plant')).rejects.toMatchObject({ code: 'BROKER_ADDRESS' });
});

test('a fleet of simulated devices from the command line', async () => {
  const broker = await embeddedBroker();
  closers.push(broker.stop);
  const fleet = await simulateDevice(
    '--target',
    target.id,
    '--listen',
    `${broker.uri}/plant/press-`,
    '--count',
    '12',
    '--fault',
    'slow=50%',
  );
  closers.push(fleet.stop);
  const reader = await connectToBroker(parseBrokerAddress(broker.uri));
  closers.push(() => reader.close());
  const alive = new Set<string>();
  await new Promise<void>((resolve) => {
    void reader.subscribe('atoll/plant/d/+/alive', ({ topic, payload }) => {
      if (Buffer.from(payload).toString() === 'online') alive.add(topic.split('/')[3] as string);
      if (alive.size === 12) resolve();
    });
  });
  expect([...alive].sort()[0]).toBe('press-01');
  expect(await fleet.stop()).toBe(0);
  const refused = async (...args: string[]) =>
    jsonOf(await atoll(['simulate-device', '--target', target.id, '--count', '2', ...args, '--json']));
  expect(await refused('--listen', 'tcp:0')).toMatchObject({ error: { code: 'USAGE' } });
  expect(await refused('--listen', `${broker.uri}/plant`, '--fault', 'none')).toMatchObject({
    error: { code: 'USAGE', message: expect.stringContaining('slow') },
  });
  expect(await refused('--listen', broker.uri)).toMatchObject({
    error: { code: 'BROKER_ADDRESS', message: expect.stringContaining('does not name a fleet') },
  });
});

test('the reason and start of an outage, until a message gets through again', async () => {
  const broker = await embeddedBroker();
  const { port } = new URL(broker.uri);
  const connection = await connectToBroker(parseBrokerAddress(`${broker.uri}/plant`));
  closers.push(() => connection.close());
  expect(connection.trouble).toBeNull();
  await broker.stop();
  await expect.poll(() => connection.trouble?.reason, { timeout: 10_000 }).toMatch(/closed|ECONNREFUSED/);
  const { since } = connection.trouble ?? { since: 0 };
  expect(Date.now() - since).toBeLessThan(10_000);
  const again = await startBroker({ port: Number(port) });
  closers.push(() => again.close());
  await connection.publish('atoll/plant/x', 'back');
  expect(connection.trouble).toBeNull();
});

test(
  'a broker that reports another client with the same name: the device disconnects, and does not come ' + 'back',
  async () => {
    const { uri, close, counts } = await scriptedBroker({ disconnect: { afterMs: 300, reasonCode: 142 } });
    closers.push(close);
    const served = await serveFleet(parseBrokerAddress(uri), { fleet: 'plant', ids: ['twin'], target });
    await expect(served.lost).rejects.toMatchObject({
      code: 'BROKER_REFUSED',
      message: expect.stringContaining('another client has connected with the same client id'),
    });
    const { connections } = counts;
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect(counts.connections).toBe(connections);
    await served.close();
  },
);

test('a refusal is reported rather than no answer to another version of MQTT', async () => {
  // It closes on MQTT 5 without an answer, and refuses the password in 3.1.1.
  const silent = await scriptedBroker({ connack: 4, silentOnVersion5: true });
  closers.push(silent.close);
  await expect(connectToBroker(parseBrokerAddress(silent.uri))).rejects.toMatchObject({
    code: 'BROKER_REFUSED',
    message: expect.stringContaining('wrong user name or password'),
  });
});

test('a broker that acknowledges nothing does not keep a closed connection open', async () => {
  const broker = await scriptedBroker({ acknowledgeAfterMs: 60_000 });
  closers.push(broker.close);
  const connection = await connectToBroker(parseBrokerAddress(broker.uri));
  const published = connection.publish('t', 'x').catch((error: { code: string }) => error.code);
  await connection.close();
  expect(await published).toBe('BROKER_UNREACHABLE');
  await expect.poll(() => broker.counts.open).toBe(0);
});

test.each([1, 10, 65_535])(
  'no more than %d messages are unacknowledged if the broker sets this limit',
  async (receiveMaximum) => {
    const { uri, counts, close } = await scriptedBroker({
      connackProperties: { receiveMaximum },
      acknowledgeAfterMs: 2,
    });
    closers.push(close);
    const connection = await connectToBroker(parseBrokerAddress(uri));
    closers.push(() => connection.close());
    await Promise.all(Array.from({ length: 60 }, (_, i) => connection.publish(`t/${i}`, 'x', { retain: true })));
    expect(counts.most).toBe(Math.min(receiveMaximum, 60));
  },
);

test('a broker without retained messages gives an error at the first one', async () => {
  const { uri, close } = await scriptedBroker({ connackProperties: { retainAvailable: false } });
  closers.push(close);
  const connection = await connectToBroker(parseBrokerAddress(uri));
  closers.push(() => connection.close());
  await connection.publish('t', 'x');
  await expect(connection.publish('t', 'x', { retain: true })).rejects.toMatchObject({ code: 'BROKER_LIMIT' });
});

test('if a broker closes the connection on MQTT 5 without an answer, 3.1.1 is used', async () => {
  const versions: number[] = [];
  const server = net.createServer((socket) => {
    const parser = mqttPacket.parser();
    parser.on('packet', (packet: mqttPacket.Packet) => {
      if (packet.cmd !== 'connect') return;
      versions.push(packet.protocolVersion ?? 0);
      if (packet.protocolVersion === 5) socket.end();
      else socket.write(mqttPacket.generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }));
    });
    socket.on('data', (bytes: Buffer) => void parser.parse(bytes)).on('error', () => undefined);
  });
  closers.push(async () => server.close());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const connection = await connectToBroker(
    parseBrokerAddress(`mqtt://127.0.0.1:${(server.address() as net.AddressInfo).port}/plant`),
  );
  closers.push(() => connection.close());
  expect(versions).toEqual([5, 4]);
});
