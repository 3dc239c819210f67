// A broker that means harm: whatever it sends, an agent, a client and a device end with a coded error or go on; nothing
// crashes, and nothing waits without end.

import net from 'node:net';
import mqttPacket from 'mqtt-packet';
import { afterEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { connectToBroker, fleetTopics, parseBrokerAddress } from '../../src/devices/mqtt/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { encodeReported } from '../../src/devices/protocol/index.js';
import { serveFleet } from '../../src/devices/simulated/index.js';
import { readWholeRegistry } from '../../src/fleet/index.js';
import { loadTarget } from '../../src/targets/index.js';

const target = await loadTarget('pico');
const topics = fleetTopics('plant');
type Packet = mqttPacket.Packet;
interface Line {
  readonly send: (packet: object) => void;
  readonly raw: (bytes: Uint8Array) => void;
  readonly end: () => void;
  readonly random: () => number;
}
/** @returns whether the usual answer is sent as well */
type Harm = (line: Line, packet: Packet) => boolean;

const bytesOf = (random: () => number, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => Math.floor(256 * random())));
const message = (topic: string, payload: Uint8Array, more: object = {}): object => ({
  cmd: 'publish',
  topic,
  payload: Buffer.from(payload),
  qos: 0,
  retain: true,
  dup: false,
  ...more,
});

const harms: Readonly<Record<string, Harm>> = {
  'noise instead of CONNACK': ({ raw, random }, { cmd }) => {
    if (cmd === 'connect') raw(bytesOf(random, 1 + Math.floor(300 * random())));
    return cmd !== 'connect';
  },
  'noise after each packet': ({ raw, random }, { cmd }) => {
    if (cmd !== 'connect') raw(bytesOf(random, 1 + Math.floor(50 * random())));
    return true;
  },
  'an end after each packet': ({ end }, { cmd }) => {
    if (cmd !== 'connect') end();
    return true;
  },
  'no answer but CONNACK': (_line, { cmd }) => cmd === 'connect',
  'acknowledgements of what was not sent': ({ send, random }) => {
    const messageId = 1 + Math.floor(65_000 * random());
    send({ cmd: 'puback', messageId, reasonCode: 0 });
    send({ cmd: 'suback', messageId, granted: [0, 1, 2] });
    send({ cmd: 'unsuback', messageId, granted: [0] });
    return true;
  },
  'too few and too many grants': ({ send, random }, packet) => {
    if (packet.cmd !== 'subscribe') return true;
    send({
      cmd: 'suback',
      messageId: packet.messageId,
      granted: Array.from({ length: 1 + Math.floor(4 * random()) }, () => 0),
    });
    return false;
  },
  'messages that nobody asked for': ({ send, random }, { cmd }) => {
    if (cmd === 'connect') return true;
    send(message('', new Uint8Array(0)));
    send(message('x'.repeat(60_000), bytesOf(random, 10)));
    send(message('$SYS/broker', bytesOf(random, 10)));
    send(message(topics.reported('d1'), bytesOf(random, 1_000_000)));
    send(message(topics.desired('d1'), bytesOf(random, 100)));
    send(message(topics.smpRequest('d1', 'x'), bytesOf(random, 100)));
    send(message(topics.alive('../../etc'), Buffer.from('online')));
    return true;
  },
  'messages of QoS 1 and 2 that repeat': ({ send }, { cmd }) => {
    // Not at acknowledgements: each message would bring six more.
    if (cmd !== 'subscribe' && cmd !== 'publish') return true;
    for (const qos of [1, 2])
      for (let i = 0; i < 3; i++)
        send(message(topics.alive('d1'), Buffer.from('online'), { qos, messageId: 7, dup: i > 0 }));
    return true;
  },
  'reports without end': ({ send, random }, packet) => {
    if (packet.cmd !== 'subscribe') return true;
    const timer = setInterval(() => {
      for (let i = 0; i < 50; i++) {
        const id = `g${Math.floor(1e6 * random())}`;
        send(message(topics.reported(id), encodeReported({ seq: 1, target: 'pico', state: 'idle' })));
        send(message(topics.alive(id), Buffer.from('online')));
      }
    }, 20);
    setTimeout(() => clearInterval(timer), 4000);
    return true;
  },
};

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function hostileBroker(harm: Harm, seed: number): Promise<string> {
  const random = seededRandom(seed);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    let protocolVersion = 5;
    const line: Line = {
      send: (packet) => {
        try {
          if (!socket.destroyed) socket.write(mqttPacket.generate(packet as Packet, { protocolVersion }));
        } catch {
          // A packet that the generator refuses to write.
        }
      },
      raw: (bytes) => void (socket.destroyed || socket.write(bytes)),
      end: () => void socket.end(),
      random,
    };
    let parser = mqttPacket.parser();
    const answer = (packet: Packet): void => {
      if (packet.cmd === 'connect') {
        protocolVersion = packet.protocolVersion ?? 4;
        parser = mqttPacket.parser({ protocolVersion });
        parser.on('packet', answer).on('error', () => undefined);
      }
      if (!harm(line, packet)) return;
      if (packet.cmd === 'connect') line.send({ cmd: 'connack', reasonCode: 0, returnCode: 0, sessionPresent: false });
      if (packet.cmd === 'publish' && packet.qos > 0)
        line.send({ cmd: 'puback', messageId: packet.messageId, reasonCode: 0 });
      if (packet.cmd === 'subscribe')
        line.send({ cmd: 'suback', messageId: packet.messageId, granted: packet.subscriptions.map(() => 0) });
      if (packet.cmd === 'unsubscribe')
        line.send({ cmd: 'unsuback', messageId: packet.messageId, granted: packet.unsubscriptions.map(() => 0) });
    };
    parser.on('packet', answer).on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      try {
        parser.parse(bytes);
      } catch {
        socket.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return `mqtt://127.0.0.1:${(server.address() as net.AddressInfo).port}/plant`;
}

/** A result, or an error with a code: never another, never none. */
async function ends(work: Promise<unknown>): Promise<void> {
  await work.catch((error: { code?: string }) =>
    expect(error.code, String(error)).toMatch(/^(BROKER|DEVICE|INTERRUPTED)/),
  );
}

describe.each(Object.entries(harms))('%s', (_name, harm) => {
  test.each([1, 2, 3])(
    'seed %d',
    async (seed) => {
      const uri = await hostileBroker(harm, seed);
      const signal = AbortSignal.timeout(2000);
      const interrupted = new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(Object.assign(new Error('enough'), { code: 'INTERRUPTED' }))),
      );
      interrupted.catch(() => undefined);
      const agent = async (): Promise<unknown> => {
        const connection = await connectToBroker(parseBrokerAddress(uri));
        closers.push(() => connection.close());
        return Promise.race([readWholeRegistry(connection, 'plant'), interrupted]);
      };
      const client = async (): Promise<unknown> => {
        const device = await openDevice(`${uri}/d1`, { retries: { timeoutMs: 200, attempts: 2 } });
        closers.push(() => device.close());
        return device.describe();
      };
      const device = async (): Promise<unknown> => {
        const served = await serveFleet(parseBrokerAddress(uri), { fleet: 'plant', ids: ['d1'], target, signal });
        closers.push(() => served.close());
        return interrupted;
      };
      await Promise.all([ends(agent()), ends(client()), ends(device())]);
    },
    40_000,
  );
});
