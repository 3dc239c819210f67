// Who is in a fleet, as the broker knows it: what each device has reported last, and whether it is there.

import { randomBytes } from 'node:crypto';
import { fail } from '../errors.js';
import { type BrokerAddress, connectToBroker, fleetOf, fleetTopics, type Message, presence } from '../mqtt/index.js';
import { decodeReported, type Reported } from '../protocol/index.js';
import { type Clock, type FleetBroker, machineClock } from './broker.js';

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
/** A mark that is lost is made again; an agent without the right to its marks would wait for ever. */
const [markPatienceMs, mostMarks] = [5000, 4];

export interface ReadOptions {
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}
export const allShards = Array.from({ length: 256 }, (_, shard) => shard.toString(16).padStart(2, '0'));

/** Of the fleet that an address names, over a connection of its own. @throws BROKER_*, INTERRUPTED */
export async function readRegistryAt(address: BrokerAddress, signal?: AbortSignal): Promise<Registry> {
  const fleet = fleetOf(address);
  const connection = await connectToBroker(address);
  try {
    return await readRegistry(connection, fleet, signal === undefined ? {} : { signal });
  } finally {
    await connection.close();
  }
}

/** @throws BROKER_*, INTERRUPTED */
export async function readRegistry(broker: FleetBroker, fleet: string, options: ReadOptions = {}): Promise<Registry> {
  const here = new Set<string>();
  const reports = new Map<string, Reported>();
  const unreadable: string[] = [];
  // All at once, since these are not in shards.
  const takeAlive = ({ topic, payload }: Message): void => {
    if (Buffer.from(payload).toString('utf8') === presence.online) here.add(topic.split('/').at(-2) ?? '');
  };
  await readRetained(broker, fleet, [fleetTopics(fleet).allAlive], takeAlive, options);
  await readReports(broker, fleet, allShards, (id, reported) => void (reported === null ? unreadable.push(id) : reports.set(id, reported)), options);
  const members = [...reports].map(([id, reported]) => ({ id, online: here.has(id), reported }));
  return { members: members.sort((a, b) => (a.id < b.id ? -1 : 1)), unreadable: unreadable.sort() };
}

/** What each device of these shards has reported last; null where that is no report. @throws BROKER_*, INTERRUPTED */
export async function readReports(
  broker: FleetBroker,
  fleet: string,
  shards: readonly string[],
  handle: (id: string, reported: Reported | null) => void,
  options: ReadOptions = {},
): Promise<void> {
  const topics = fleetTopics(fleet);
  let reports = 0;
  const take = (message: Message): void => {
    reports += 1;
    handle(...reportOf(message));
  };
  const reader = MarkedReader.over(broker, fleet, options);
  // The first shard tells how many devices there are.
  for (let at = 0, together = 1; at < shards.length; at += together) {
    options.signal?.throwIfAborted();
    if (at > 0) together = Math.max(1, Math.min(mostShardsAtOnce, Math.floor((reportsAtOnce * at) / Math.max(1, reports))));
    await reader.read(
      shards.slice(at, at + together).map((shard) => topics.allReported(shard)),
      take,
      1,
    );
  }
  await reader.close();
}

/** Whatever is retained under some topics, up to now; at QoS 0, so that no broker drops any. @throws BROKER_* */
export async function readRetained(
  broker: FleetBroker,
  fleet: string,
  filters: readonly string[],
  handle: (message: Message) => void,
  options: ReadOptions = {},
): Promise<void> {
  const reader = MarkedReader.over(broker, fleet, options);
  await reader.read(filters, handle, 0);
  await reader.close();
}

/** A device's id and its report; null where that is none. */
export function reportOf({ topic, payload }: Message): [id: string, reported: Reported | null] {
  const id = topic.split('/').at(-1) ?? '';
  try {
    return [id, decodeReported(payload)];
  } catch {
    return [id, null];
  }
}

/** Reads what is retained, to its end: a mark of its own is retained too, and asked for last, so that when it comes all before it has come. */
class MarkedReader {
  private count = 0;

  private constructor(
    private readonly broker: FleetBroker,
    private readonly topic: string,
    private readonly clock: Clock,
  ) {}

  static over(broker: FleetBroker, fleet: string, { clock = machineClock }: ReadOptions): MarkedReader {
    return new MarkedReader(broker, fleetTopics(fleet).mark(`agent-${randomBytes(6).toString('hex')}`), clock);
  }

  async read(filters: readonly string[], handle: (message: Message) => void, qos: 0 | 1): Promise<void> {
    this.count += 1;
    const wanted = String(this.count);
    let back = false;
    for (let tries = 0; !back; tries++) {
      if (tries === mostMarks) throw fail('BROKER_REFUSED', { broker: this.broker.uri, reason: `what is written to ${this.topic} does not come back` });
      await this.broker.publish(this.topic, wanted, { retain: true });
      await new Promise<void>((resolve, reject) => {
        const callOff = this.clock.later(markPatienceMs, resolve);
        const take = (message: Message): void => {
          if (message.topic !== this.topic) return handle(message);
          if (Buffer.from(message.payload).toString('utf8') !== wanted) return;
          back = true;
          callOff();
          resolve();
        };
        this.broker.subscribe([...filters, this.topic], take, { qos }).catch(reject);
      });
      await this.broker.unsubscribe([...filters, this.topic]);
    }
  }

  async close(): Promise<void> {
    await this.broker.publish(this.topic, new Uint8Array(0), { retain: true });
  }
}
