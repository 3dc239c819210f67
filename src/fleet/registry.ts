// The registry: the devices of a fleet as the broker knows them, with the last report of each and whether it is
// connected.

import { randomBytes } from 'node:crypto';
import { type AtollError, fail } from '../base/errors.js';
import {
  type BrokerAddress,
  connectToBroker,
  fleetOf,
  fleetTopics,
  type Message,
  matchesFilter,
  presence,
  topicName,
} from '../devices/mqtt/index.js';
import { cleanText, decodeReported, type Reported } from '../devices/protocol/index.js';
import { type Clock, type FleetBroker, machineClock } from './broker.js';

/** A device of a fleet, as the broker retains it. */
export interface FleetMember {
  readonly id: string;
  /** Whether the broker has a connection to it. */
  readonly online: boolean;
  readonly reported: Reported;
}

/** The devices of a fleet, and ids that are doubtful. */
export interface Registry {
  /** In the order of their ids. */
  readonly members: readonly FleetMember[];
  /** Ids whose report cannot be decoded. */
  readonly unreadable: readonly string[];
  /**
   * Ids with a report but no `alive` message: no device of that name was ever connected, and anyone may have written
   * the report.
   */
  readonly neverConnected: readonly string[];
}

/** Retained messages of a fleet, from one reading or several. */
export interface Reading {
  /** By device id: whether it is connected. */
  readonly alive: Map<string, boolean>;
  readonly reports: Map<string, Reported>;
  readonly unreadable: Set<string>;
}

/** Shards read at once: brokers drop messages beyond their queue limit, mosquitto beyond a thousand. */
const reportsAtOnce = 400;
const maxShardsAtOnce = 64;
/** A lost mark is published again; an agent without permission for its marks would wait forever. */
const [markTimeoutMs, maxMarks] = [5000, 4];
/**
 * Brokers may send retained messages in any order. After the mark, wait until no message has arrived for this time,
 * which doubles with each further reading.
 */
const [minQuietMs, maxQuietMs] = [250, 4000];
/** Limit for brokers that send messages without a pause. */
const neverQuietMs = 120_000;
/** Readings are repeated until two in a row find the same devices, up to this number. */
const maxReadings = 8;

/** How long, and on whose clock, a fleet is read. */
export interface ReadOptions {
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** How long no message must arrive for the reading to count as complete, in milliseconds. */
  readonly quietMs?: number;
}
export const allShards = Array.from({ length: 256 }, (_, shard) => shard.toString(16).padStart(2, '0'));

/** Reads the fleet that an address names, over a connection of its own. @throws BROKER_*, INTERRUPTED */
export async function readRegistryAt(address: BrokerAddress, signal?: AbortSignal): Promise<Registry> {
  const fleet = fleetOf(address);
  const connection = await connectToBroker(address);
  try {
    return await readWholeRegistry(connection, fleet, signal === undefined ? {} : { signal });
  } finally {
    await connection.close();
  }
}

/**
 * Reads the registry until two readings in a row agree, so that a message which the broker dropped or sent late is not
 * missed. For an id with a report but no `alive` message, or the reverse, the missing one is requested by name: a
 * broker may have dropped it twice. @throws BROKER_*, INTERRUPTED
 */
export async function readWholeRegistry(
  broker: FleetBroker,
  fleet: string,
  options: ReadOptions = {},
): Promise<Registry> {
  const all: Reading = { alive: new Map(), reports: new Map(), unreadable: new Set() };
  let quietMs = minQuietMs;
  for (let reading = 0, before = -1; reading < maxReadings; reading++) {
    const one = await readOnce(broker, fleet, { ...options, quietMs });
    merge(all, one);
    const float16Constants = [...new Set([...all.alive.keys(), ...all.reports.keys()])].filter(
      (id) => !all.alive.has(id) || !all.reports.has(id),
    );
    if (float16Constants.length > 0)
      merge(all, await readDevices(broker, fleet, float16Constants, { ...options, quietMs }));
    const found = all.alive.size + all.reports.size;
    const complete = one.alive.size + one.reports.size === found && before === found;
    if (before >= 0) quietMs = Math.min(maxQuietMs, 2 * quietMs);
    before = found;
    if (complete) return registryOf(all);
  }
  throw fail('BROKER_LIMIT', {
    broker: broker.uri,
    reason: `it sent different retained reports in each of ${maxReadings} readings`,
  });
}

/**
 * Reads the devices of a fleet from the retained messages of its broker.
 * @throws BROKER_*, INTERRUPTED
 */
export async function readRegistry(broker: FleetBroker, fleet: string, options: ReadOptions = {}): Promise<Registry> {
  return registryOf(await readOnce(broker, fleet, options));
}

function merge(all: Reading, { alive, reports, unreadable }: Reading): void {
  for (const [id, online] of alive) all.alive.set(id, online);
  for (const [id, reported] of reports) all.reports.set(id, reported);
  for (const id of unreadable) all.unreadable.add(id);
}

async function readOnce(broker: FleetBroker, fleet: string, options: ReadOptions): Promise<Reading> {
  const reading: Reading = { alive: new Map(), reports: new Map(), unreadable: new Set() };
  const { alive, reports, unreadable } = reading;
  const reader = MarkedReader.over(broker, fleet, options);
  // In one request: `alive` messages are not sharded.
  await reader.read([fleetTopics(fleet).allAlive], (message) => takeAlive(message, alive), 0);
  await readShards(
    reader,
    fleet,
    allShards,
    (id, reported) => void (reported === null ? unreadable.add(id) : reports.set(id, reported)),
    options,
  );
  await reader.close();
  return reading;
}

function registryOf({ alive, reports, unreadable }: Reading): Registry {
  const ids = [...reports.keys()].sort();
  const members = ids.flatMap((id) => {
    const [online, reported] = [alive.get(id), reports.get(id)];
    return online === undefined || reported === undefined ? [] : { id, online, reported };
  });
  return { members, unreadable: [...unreadable].sort(), neverConnected: ids.filter((id) => !alive.has(id)) };
}

/** Reads the retained messages of some devices by name. @throws BROKER_*, INTERRUPTED */
export async function readDevices(
  broker: FleetBroker,
  fleet: string,
  ids: readonly string[],
  options: ReadOptions,
): Promise<Reading> {
  const reading: Reading = { alive: new Map(), reports: new Map(), unreadable: new Set() };
  const topics = fleetTopics(fleet);
  const take = (message: Message): void => {
    if (matchesFilter(topics.allAlive, message.topic)) return takeAlive(message, reading.alive);
    const [id, reported] = reportOf(message);
    if (reported === null) reading.unreadable.add(id);
    else reading.reports.set(id, reported);
  };
  const reader = MarkedReader.over(broker, fleet, options);
  for (let at = 0; at < ids.length; at += maxShardsAtOnce) {
    options.signal?.throwIfAborted();
    const filters = ids.slice(at, at + maxShardsAtOnce).flatMap((id) => [topics.alive(id), topics.reported(id)]);
    await reader.read(filters, take, 0);
  }
  await reader.close();
  return reading;
}

/** Which of these devices are or were connected to the broker. @throws BROKER_*, INTERRUPTED */
export async function everConnected(
  broker: FleetBroker,
  fleet: string,
  ids: readonly string[],
  options: ReadOptions = {},
): Promise<ReadonlySet<string>> {
  return new Set((await readDevices(broker, fleet, ids, options)).alive.keys());
}

function takeAlive({ topic, payload }: Message, alive: Map<string, boolean>): void {
  const said = Buffer.from(payload).toString('utf8');
  if (said === presence.online || said === presence.offline)
    alive.set(topic.split('/').at(-2) ?? '', said === presence.online);
}

/** The last report of each device in these shards; null if it cannot be decoded. @throws BROKER_*, INTERRUPTED */
export async function readReports(
  broker: FleetBroker,
  fleet: string,
  shards: readonly string[],
  handle: (id: string, reported: Reported | null, retained: boolean) => void,
  options: ReadOptions = {},
): Promise<void> {
  const reader = MarkedReader.over(broker, fleet, options);
  await readShards(reader, fleet, shards, handle, options);
  await reader.close();
}

async function readShards(
  reader: MarkedReader,
  fleet: string,
  shards: readonly string[],
  handle: (id: string, reported: Reported | null, retained: boolean) => void,
  options: ReadOptions,
): Promise<void> {
  const topics = fleetTopics(fleet);
  let reports = 0;
  const take = (message: Message): void => {
    reports += 1;
    handle(...reportOf(message), message.retained);
  };
  // The first shard shows how large the fleet is.
  for (let at = 0, together = 1; at < shards.length; at += together) {
    options.signal?.throwIfAborted();
    if (at > 0)
      together = Math.max(1, Math.min(maxShardsAtOnce, Math.floor((reportsAtOnce * at) / Math.max(1, reports))));
    await reader.read(
      shards.slice(at, at + together).map((shard) => topics.allReported(shard)),
      take,
      1,
    );
  }
}

/** Reads the messages that are retained under some topics. Uses QoS 0, so that no broker drops any. @throws BROKER_* */
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

/** A device's id and its report; null if it cannot be decoded. */
export function reportOf({ topic, payload }: Message): [id: string, reported: Reported | null] {
  const id = topic.split('/').at(-1) ?? '';
  // Not a valid device id. Its text is cleaned because it is shown to the user.
  if (!topicName.test(id)) return [cleanText(id, 64), null];
  try {
    return [id, decodeReported(payload)];
  } catch {
    return [id, null];
  }
}

/**
 * Reads retained messages and knows when it has all of them. It publishes a retained mark of its own and subscribes to
 * it last, with a wildcard like the rest (`+`, since mochi-mqtt does not send what is retained under a to the filter
 * a/#): when the mark arrives, a broker that keeps the order has sent everything else. For brokers that do not, closing
 * the reader waits until no message has arrived for a while.
 */
class MarkedReader {
  private count = 0;
  private readonly filters = new Set<string>();
  private closing: Waiting | null = null;
  private readonly topic: string;

  private constructor(
    private readonly broker: FleetBroker,
    private readonly fleet: string,
    private readonly client: string,
    private readonly options: ReadOptions,
  ) {
    this.topic = fleetTopics(fleet).mark(client);
  }

  static over(broker: FleetBroker, fleet: string, options: ReadOptions): MarkedReader {
    return new MarkedReader(broker, fleet, `agent-${randomBytes(6).toString('hex')}`, options);
  }

  async read(filters: readonly string[], handle: (message: Message) => void, qos: 0 | 1): Promise<void> {
    this.count += 1;
    const wanted = String(this.count);
    const marks = fleetTopics(this.fleet).ownMarks(this.client);
    for (const filter of filters) this.filters.add(filter);
    for (let tries = 0; tries < maxMarks; tries++) {
      await this.inTime(this.broker.publish(this.topic, wanted, { retain: true }));
      const wait = new Waiting(this.options);
      const take = (message: Message): void => {
        if (matchesFilter(marks, message.topic)) {
          if (message.topic === this.topic && Buffer.from(message.payload).toString('utf8') === wanted) wait.done();
          return;
        }
        // A message that is published meanwhile is not a retained one.
        if (message.retained) this.closing?.quiet();
        handle(message);
      };
      this.broker.subscribe([...filters, marks], take, { qos }).catch((error: unknown) => {
        // A connection that breaks comes back: the next attempt subscribes again.
        if ((error as AtollError).code === 'BROKER_UNREACHABLE') wait.giveUp();
        else wait.fail(error);
      });
      const back = await wait.over;
      // Unsubscribe, so that the next subscription delivers the mark again; the other filters stay for late messages.
      await this.inTime(this.broker.unsubscribe(marks));
      if (back) return;
    }
    throw await this.explained();
  }

  async close(): Promise<void> {
    this.closing = new Waiting(this.options);
    this.closing.quiet();
    try {
      if (await this.closing.over) return;
    } finally {
      await this.inTime(this.broker.unsubscribe([...this.filters]));
      await this.inTime(this.broker.publish(this.topic, new Uint8Array(0), { retain: true }));
    }
    throw fail('BROKER_LIMIT', {
      broker: this.broker.uri,
      reason: `it has been sending retained messages for ${neverQuietMs / 1000} s without a pause`,
    });
  }

  /** Why the mark does not arrive through a wildcard: subscribes to its exact topic to find out. */
  private async explained(): Promise<Error> {
    const wait = new Waiting(this.options);
    this.broker.subscribe(this.topic, () => wait.done(), { qos: 0 }).catch((error: unknown) => wait.fail(error));
    const exact = await wait.over.catch(() => false);
    await this.inTime(this.broker.unsubscribe(this.topic));
    if (exact)
      return fail('BROKER_LIMIT', {
        broker: this.broker.uri,
        reason: 'it does not send retained messages to subscriptions with wildcards',
      });
    return fail('BROKER_REFUSED', {
      broker: this.broker.uri,
      reason: `messages to ${this.topic} do not come back: they are not retained, or not allowed`,
    });
  }

  /** Waits for an acknowledgement, with a timeout. @throws BROKER_UNREACHABLE, and the reason of an aborted signal */
  private async inTime(work: Promise<void>): Promise<void> {
    const wait = new Waiting(this.options);
    work.then(
      () => wait.done(),
      (error: unknown) => wait.fail(error),
    );
    if (!(await wait.over))
      throw fail('BROKER_UNREACHABLE', {
        broker: this.broker.uri,
        reason: `it has acknowledged nothing for ${markTimeoutMs} ms`,
      });
  }
}

/** Waits until it is done, until no message has arrived for a while, or until a timeout. */
class Waiting {
  /** False after the timeout. @throws the error passed to `fail`, and the reason of an aborted signal */
  readonly over: Promise<boolean>;
  private end: (marked: boolean) => void = () => undefined;
  private reject: (error: unknown) => void = () => undefined;
  private callOff: () => void;
  private readonly clock: Clock;
  private readonly quietMs: number;
  private readonly since: number;
  private readonly signal: AbortSignal | null;

  constructor({ clock = machineClock, quietMs = minQuietMs, signal }: ReadOptions) {
    this.clock = clock;
    this.quietMs = quietMs;
    this.since = clock.elapsed();
    this.signal = signal ?? null;
    this.over = new Promise<boolean>((resolve, reject) => {
      this.end = resolve;
      this.reject = reject;
    }).finally(() => {
      this.callOff();
      signal?.removeEventListener('abort', this.abort);
    });
    this.callOff = clock.later(markTimeoutMs, () => this.end(false));
    signal?.addEventListener('abort', this.abort);
    if (signal?.aborted) this.abort();
  }

  /** Restarts the wait for quiet; call again for each message. Ends as after the timeout where messages do not stop. */
  quiet(): void {
    this.callOff();
    const ever = this.clock.elapsed() - this.since > neverQuietMs;
    this.callOff = this.clock.later(ever ? 0 : this.quietMs, () => this.end(!ever));
  }

  done(): void {
    this.end(true);
  }

  /** Ends as after the timeout. */
  giveUp(): void {
    this.end(false);
  }

  fail(error: unknown): void {
    this.reject(error);
  }

  private readonly abort = (): void => this.reject(this.signal?.reason);
}
