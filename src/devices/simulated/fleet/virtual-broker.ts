// A broker in virtual time, for fleets of any size. Messages take time, and may be lost, repeated or reordered, as
// decided by a seed.

import { seededRandom } from '../../../base/random.js';
import { type Message, matchesFilter, RetainedTree } from '../../mqtt/index.js';
import type { VirtualTime } from './virtual-time.js';

/** Shares of messages, between 0 and 1. */
export interface FaultRates {
  readonly lost: number;
  readonly repeated: number;
  readonly overtaken: number;
}

export interface VirtualBrokerOptions {
  readonly seed?: number;
  readonly faultRates?: FaultRates;
}

type Handler = (message: Message) => void;
interface Subscription {
  readonly session: VirtualSession;
  readonly handle: Handler;
}

/** Milliseconds that a message takes; a reordered one takes longer. */
const [latencyMs, overtakenMs] = [4, 400];
const noFaults: FaultRates = { lost: 0, repeated: 0, overtaken: 0 };

export class VirtualBroker {
  readonly uri = 'virtual://broker';
  /** Called with messages that have no subscriber: devices can be created on demand. */
  onUnheard: ((topic: string, payload: Uint8Array) => void) | null = null;
  /** Messages received, their bytes, and messages delivered. */
  readonly counted = { published: 0, bytes: 0, delivered: 0 };
  private retained = new RetainedTree<{ readonly topic: string; readonly payload: Uint8Array }>();
  private readonly random: () => number;
  private readonly faultRates: FaultRates;
  /** Subscriptions by topic; filters that end with `+` by the part before it; the few others in a list. */
  private readonly exact = new Map<string, Subscription[]>();
  private readonly last = new Map<string, Subscription[]>();
  private readonly others: (Subscription & { readonly filter: string })[] = [];
  private readonly sessions = new Set<VirtualSession>();

  constructor(
    readonly time: VirtualTime,
    { seed = 1, faultRates = noFaults }: VirtualBrokerOptions = {},
  ) {
    this.random = seededRandom(seed);
    this.faultRates = faultRates;
  }

  /** @param reliable neither its messages nor those to it are lost: a client that waits for acknowledgements */
  connect(reliable: boolean, onConnected: () => void = () => undefined): VirtualSession {
    const session = new VirtualSession(this, reliable, onConnected);
    this.sessions.add(session);
    return session;
  }

  /** Disconnects all clients and reconnects them after a while. @param keeps whether retained messages survive */
  restart(keeps: boolean, awayMs = 3000): void {
    if (!keeps) this.forgetRetained();
    for (const session of this.sessions) session.lose();
    for (const session of this.sessions)
      this.time.later(awayMs + Math.floor(2000 * this.random()), () => session.regain());
  }

  forgetRetained(): void {
    this.retained = new RetainedTree();
  }

  publish(topic: string, payload: Uint8Array, retain: boolean, reliable: boolean): void {
    this.counted.published += 1;
    this.counted.bytes += payload.byteLength;
    if (!reliable && this.random() < this.faultRates.lost) return;
    if (retain && payload.byteLength === 0) this.retained.delete(topic);
    // Encoders return views of larger buffers, which would be kept too.
    else if (retain) this.retained.set({ topic, payload: new Uint8Array(payload) });
    const listening = this.matching(topic);
    if (listening.length === 0) this.onUnheard?.(topic, payload);
    for (const subscription of listening) this.deliver(subscription, { topic, payload, retained: false });
  }

  subscribe(filter: string, subscription: Subscription, retained: boolean): void {
    if (!filter.includes('+')) listOf(this.exact, filter).push(subscription);
    else if (filter.indexOf('+') === filter.length - 1) listOf(this.last, filter.slice(0, -1)).push(subscription);
    else this.others.push({ ...subscription, filter });
    if (retained)
      for (const { topic, payload } of this.retained.matching(filter))
        this.deliver(subscription, { topic, payload, retained: true });
  }

  unsubscribe(filter: string, session: VirtualSession): void {
    if (!filter.includes('+')) without(this.exact, filter, session);
    else if (filter.indexOf('+') === filter.length - 1) without(this.last, filter.slice(0, -1), session);
    else {
      const at = this.others.findIndex((one) => one.filter === filter && one.session === session);
      if (at >= 0) this.others.splice(at, 1);
    }
  }

  forget(session: VirtualSession): void {
    this.sessions.delete(session);
  }

  private matching(topic: string): Subscription[] {
    const found = [
      ...(this.exact.get(topic) ?? []),
      ...(this.last.get(topic.slice(0, topic.lastIndexOf('/') + 1)) ?? []),
    ];
    for (const other of this.others) if (matchesFilter(other.filter, topic)) found.push(other);
    return found;
  }

  private deliver({ session, handle }: Subscription, message: Message): void {
    const { lost, repeated, overtaken } = this.faultRates;
    const [lucky, times] = [session.reliable || this.random() >= lost, this.random() < repeated ? 2 : 1];
    if (!lucky) return;
    for (let i = 0; i < times; i++) {
      const late = !session.reliable && this.random() < overtaken ? overtakenMs * this.random() : 0;
      this.time.later(latencyMs + late, () => {
        if (!session.isConnected) return;
        this.counted.delivered += 1;
        handle(message);
        if (session.reliable) this.time.wake();
      });
    }
  }
}

/** A client's connection. Agents use it as a broker, devices as a port. */
export class VirtualSession {
  onChange: ((connected: boolean) => void) | null = null;
  isConnected = true;
  readonly uri: string;
  private readonly waiting: (() => void)[] = [];
  private readonly filters = new Map<string, { readonly handle: Handler; readonly retained: boolean }>();

  constructor(
    private readonly broker: VirtualBroker,
    readonly reliable: boolean,
    private readonly onConnected: () => void,
  ) {
    this.uri = broker.uri;
  }

  /** Waits for the connection if it is away. */
  async publish(
    topic: string,
    payload: Uint8Array | string,
    { retain = false }: { readonly retain?: boolean } = {},
  ): Promise<void> {
    if (!this.isConnected) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.send(topic, payload, retain);
  }

  send(topic: string, payload: Uint8Array | string, retain: boolean): void {
    if (this.isConnected)
      this.broker.publish(topic, typeof payload === 'string' ? Buffer.from(payload) : payload, retain, this.reliable);
  }

  async subscribe(
    filters: string | readonly string[],
    handle: Handler,
    { retained = true }: { readonly retained?: boolean } = {},
  ): Promise<void> {
    for (const filter of typeof filters === 'string' ? [filters] : filters) this.listen(filter, handle, retained);
  }

  listen(filter: string, handle: Handler, retained = true): void {
    this.broker.unsubscribe(filter, this);
    this.filters.set(filter, { handle, retained });
    if (this.isConnected) this.broker.subscribe(filter, { session: this, handle }, retained);
  }

  async unsubscribe(filters: string | readonly string[]): Promise<void> {
    for (const filter of typeof filters === 'string' ? [filters] : filters) {
      this.filters.delete(filter);
      this.broker.unsubscribe(filter, this);
    }
  }

  close(): void {
    for (const filter of this.filters.keys()) this.broker.unsubscribe(filter, this);
    this.filters.clear();
    this.isConnected = false;
    this.broker.forget(this);
  }

  lose(): void {
    this.isConnected = false;
    for (const filter of this.filters.keys()) this.broker.unsubscribe(filter, this);
    this.onChange?.(false);
  }

  regain(): void {
    if (this.isConnected) return;
    this.isConnected = true;
    for (const [filter, { handle, retained }] of this.filters)
      this.broker.subscribe(filter, { session: this, handle }, retained);
    for (const resolve of this.waiting.splice(0)) resolve();
    this.broker.time.wake();
    this.onChange?.(true);
    this.onConnected();
  }
}

function listOf(map: Map<string, Subscription[]>, key: string): Subscription[] {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}

function without(map: Map<string, Subscription[]>, key: string, session: VirtualSession): void {
  const left = (map.get(key) ?? []).filter((one) => one.session !== session);
  if (left.length > 0) map.set(key, left);
  else map.delete(key);
}
