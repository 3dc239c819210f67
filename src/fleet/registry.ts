// Who is in a fleet, as the broker knows it: what each device has reported last, and whether it is there.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '../errors.js';
import { type BrokerAddress, type BrokerConnection, connectToBroker, fleetOf, fleetTopics, type Message, presence } from '../mqtt/index.js';
import { decodeReported, type Reported } from '../protocol/index.js';

export interface FleetMember {
  readonly id: string;
  readonly online: boolean;
  readonly reported: Reported;
}

export interface Registry {
  /** In the order of their ids. */
  readonly members: readonly FleetMember[];
  /** Devices whose report is no report. */
  readonly unreadable: readonly string[];
}

/** Reports that are asked for at once: brokers drop what is more than they queue, mosquitto beyond a thousand. */
const reportsAtOnce = 400;
const mostShardsAtOnce = 64;
/** An agent without the right to its marks would wait for ever. */
const markPatienceMs = 20_000;
const shards = Array.from({ length: 256 }, (_, shard) => shard.toString(16).padStart(2, '0'));

/** Of the fleet that an address names, over a connection of its own. @throws BROKER_*, INTERRUPTED */
export async function readRegistryAt(address: BrokerAddress, signal?: AbortSignal): Promise<Registry> {
  const fleet = fleetOf(address);
  const connection = await connectToBroker(address);
  try {
    return await readRegistry(connection, fleet, signal);
  } finally {
    await connection.close();
  }
}

/** @throws BROKER_*, INTERRUPTED */
export async function readRegistry(connection: BrokerConnection, fleet: string, signal?: AbortSignal): Promise<Registry> {
  const topics = fleetTopics(fleet);
  const here = new Set<string>();
  const reports = new Map<string, Reported>();
  const unreadable: string[] = [];
  const reader = await MarkedReader.over(connection, topics.mark(`agent-${randomBytes(6).toString('hex')}`));
  const takeAlive = ({ topic, payload }: Message): void => {
    if (Buffer.from(payload).toString('utf8') === presence.online) here.add(topic.split('/').at(-2) ?? '');
  };
  // All at once, since these are not in shards.
  await reader.read([topics.allAlive], takeAlive, 0);
  // The first shard tells how many devices there are.
  for (let at = 0, together = 1; at < shards.length; at += together) {
    signal?.throwIfAborted();
    if (at > 0) together = Math.max(1, Math.min(mostShardsAtOnce, Math.floor((reportsAtOnce * at) / Math.max(1, reports.size))));
    const filters = shards.slice(at, at + together).map((shard) => topics.allReported(shard));
    await reader.read(filters, ({ topic, payload }) => {
      const id = topic.split('/').at(-1) ?? '';
      try {
        reports.set(id, decodeReported(payload));
      } catch {
        unreadable.push(id);
      }
    });
  }
  await reader.close();
  const members = [...reports].map(([id, reported]) => ({ id, online: here.has(id), reported }));
  return { members: members.sort((a, b) => (a.id < b.id ? -1 : 1)), unreadable: unreadable.sort() };
}

/** Reads what is retained, to its end: a broker delivers in order, so that a mark which comes back says that all before it has come. */
class MarkedReader {
  private count = 0;
  private reached: (mark: number) => void = () => undefined;

  private constructor(
    private readonly connection: BrokerConnection,
    private readonly topic: string,
  ) {}

  static async over(connection: BrokerConnection, topic: string): Promise<MarkedReader> {
    const reader = new MarkedReader(connection, topic);
    await connection.subscribe(topic, ({ payload }) => reader.reached(Number(Buffer.from(payload).toString('utf8'))));
    return reader;
  }

  async read(filters: readonly string[], handle: (message: Message) => void, qos: 0 | 1 = 1): Promise<void> {
    await Promise.all(filters.map((filter) => this.connection.subscribe(filter, handle, { qos })));
    this.count += 1;
    const back = new Promise<void>((resolve) => {
      this.reached = (mark) => {
        if (mark === this.count) resolve();
      };
    });
    await this.connection.publish(this.topic, String(this.count));
    const lost = delay(markPatienceMs, 'lost', { ref: false });
    if ((await Promise.race([back, lost])) === 'lost')
      throw fail('BROKER_REFUSED', { broker: this.connection.uri, reason: `what is written to ${this.topic} does not come back` });
    await Promise.all(filters.map((filter) => this.connection.unsubscribe(filter)));
  }

  async close(): Promise<void> {
    await this.connection.unsubscribe(this.topic);
  }
}
