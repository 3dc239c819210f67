// A connection to a broker that comes back by itself: subscriptions are made again, what is published meanwhile waits.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { IClientOptions, IConnackPacket, MqttClient } from 'mqtt';
import { fail, reasonOf } from '../errors.js';
import { readBytes } from '../files/index.js';
import type { BrokerAddress } from './address.js';
import { matchesFilter } from './topics.js';

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** It lay on the broker before the subscription was made. */
  readonly retained: boolean;
}

export interface ConnectOptions {
  readonly clientId?: string;
  /** Published by the broker, retained, when this side is gone without a word. */
  readonly will?: { readonly topic: string; readonly payload: string };
}

/** MQTT 5, 3.8.3.1: retain handling. */
const sendNoRetained = 2;
const connectTimeoutMs = 5000;
/** How long a broker keeps a session whose client is away (MQTT 5, 3.1.2.11.2). */
const sessionSeconds = 86_400;
/** Spread, so that a broker which comes back is not met by all at once. */
const [leastReconnectMs, mostReconnectMs] = [500, 3000];
/** A connection counts as established after this time. */
const settledMs = 5000;
/** Answers of brokers that only know another version of MQTT: 3.1.1's own code, and that of 5. */
const otherVersionCodes = [1, 132];
/** Wrong user or password, not authorized: of 3.1.1, then of 5. */
const refusalCodes = [4, 5, 134, 135];

/** Limits that a broker announces in CONNACK (MQTT 5, 3.2.2.3). */
interface BrokerLimits {
  /** How many messages may be unacknowledged at the same time. */
  readonly receiveMaximum: number;
  readonly retains: boolean;
}

/** For brokers that announce none: the number of MQTT packet identifiers. */
const noLimits: BrokerLimits = { receiveMaximum: 65_535, retains: true };

/** @throws BROKER_UNREACHABLE, BROKER_REFUSED, BROKER_TLS, FILE_NOT_READABLE */
export async function connectToBroker(address: BrokerAddress, options: ConnectOptions = {}): Promise<BrokerConnection> {
  const settings = await settingsOf(address, options);
  let first: unknown = null;
  for (const version of address.version === null ? ([5, 4] as const) : [address.version]) {
    try {
      const { client, limits } = await connected(address.url, { ...settings, protocolVersion: version });
      return new BrokerConnection(address.uri, client, limits);
    } catch (error) {
      // Some brokers without MQTT 5 close the connection without an answer.
      const mayBeVersion = otherVersionCodes.includes(codeOf(error)) || error instanceof ClosedWithoutWord;
      if (version === 5 && address.version === null && mayBeVersion) {
        first = error;
        continue;
      }
      throw brokerError(address.uri, first instanceof ClosedWithoutWord ? first : error);
    }
  }
  throw fail('BROKER_UNREACHABLE', { broker: address.uri, reason: 'it knows neither MQTT 5 nor 3.1.1' });
}

/** Why a connection to a broker does not work. */
export interface BrokerTrouble {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly reason: string;
}

export class BrokerConnection {
  /** Called when the connection is lost, and when it is back. */
  onChange: ((connected: boolean) => void) | null = null;
  /** Why there is no connection; null while there is one. */
  trouble: BrokerTrouble | null = null;
  private readonly handlers = new Map<string, (message: Message) => void>();
  private settling: NodeJS.Timeout | undefined;
  private unacknowledged = 0;
  private readonly turns: (() => void)[] = [];

  constructor(
    readonly uri: string,
    private readonly client: MqttClient,
    private limits: BrokerLimits = noLimits,
  ) {
    client.on('message', (topic, payload, { retain }) => {
      const message = { topic, payload: new Uint8Array(payload), retained: retain };
      for (const [filter, handle] of this.handlers) if (matchesFilter(filter, topic)) handle(message);
    });
    sendAtOnce(client);
    client.on('connect', (packet) => {
      this.limits = limitsOf(packet);
      sendAtOnce(client);
      // A broker may accept a connection and close it at the first message: wait before the trouble counts as over.
      this.settling = setTimeout(() => this.clear(), settledMs).unref();
      this.onChange?.(true);
    });
    client.on('close', () => {
      clearTimeout(this.settling);
      this.note('the broker closed the connection');
      this.onChange?.(false);
    });
    // The client reconnects by itself; the error explains why that may not succeed.
    client.on('error', (error) => this.note(wordOf(error), true));
    client.on('disconnect', (packet) => this.note(disconnectReasons[packet.reasonCode ?? 0] ?? `it ended the connection with code ${packet.reasonCode}`, true));
  }

  private clear(): void {
    clearTimeout(this.settling);
    this.trouble = null;
  }

  /** @param certain the broker gave this reason; it replaces a reason that was only inferred from the connection */
  private note(reason: string, certain = false): void {
    const { trouble } = this;
    if (trouble === null) this.trouble = { since: Date.now(), reason };
    else if (certain) this.trouble = { ...trouble, reason };
  }

  /** Waits for the broker's word that it has the message. @throws BROKER_REFUSED where a right is missing and the broker says so, or where it is closed */
  async publish(topic: string, payload: Uint8Array | string, { retain = false } = {}): Promise<void> {
    if (retain && !this.limits.retains) throw fail('BROKER_LIMIT', { broker: this.uri, reason: 'it says that it retains no messages' });
    const content = typeof payload === 'string' ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    while (this.unacknowledged >= this.limits.receiveMaximum) await new Promise<void>((resolve) => this.turns.push(resolve));
    this.unacknowledged += 1;
    try {
      await this.client.publishAsync(topic, content, { qos: 1, retain });
      this.clear();
    } catch (error) {
      throw this.refusal(`publishing to ${topic}`, error);
    } finally {
      this.unacknowledged -= 1;
      this.turns.shift()?.();
    }
  }

  /**
   * One handler for each filter; several filters are one request, for which brokers send what they retain in the order of the filters.
   * @param qos 1, or 0 for more retained messages than brokers queue: mosquitto drops those beyond a thousand, and says nothing
   * @param retained false: only what is published from now on, where the broker speaks MQTT 5
   * @throws BROKER_REFUSED
   */
  async subscribe(
    filters: string | readonly string[],
    handle: (message: Message) => void,
    { qos = 1, retained = true }: { readonly qos?: 0 | 1; readonly retained?: boolean } = {},
  ): Promise<void> {
    const all = typeof filters === 'string' ? [filters] : [...filters];
    for (const filter of all) this.handlers.set(filter, handle);
    const refused = (error: unknown): Error => {
      for (const filter of all) this.handlers.delete(filter);
      return this.refusal(`subscribing to ${all.join(', ')}`, error);
    };
    const granted = await this.client.subscribeAsync(all, { qos, ...(retained ? {} : { rh: sendNoRetained }) }).catch((error: unknown) => {
      throw refused(error);
    });
    if (granted.some((one) => one.qos > 2)) throw refused(new Error('not authorized'));
  }

  async unsubscribe(filters: string | readonly string[]): Promise<void> {
    const all = typeof filters === 'string' ? [filters] : [...filters];
    for (const filter of all) this.handlers.delete(filter);
    await this.client.unsubscribeAsync(all).catch(() => undefined);
  }

  /** Without last will. */
  async close(): Promise<void> {
    this.handlers.clear();
    this.onChange = null;
    // What the broker does not acknowledge is not waited for.
    await this.client.endAsync(!this.client.connected).catch(() => undefined);
  }

  private refusal(what: string, error: unknown): Error {
    return fail('BROKER_REFUSED', { broker: this.uri, reason: `${what}: ${reasonOf(error)}` }, error);
  }
}

async function settingsOf(address: BrokerAddress, { clientId, will }: ConnectOptions): Promise<IClientOptions> {
  const { username, password, ca, cert, key, tls, keepsSession, keepaliveSeconds } = address;
  const file = async (path: string | null): Promise<Buffer | undefined> => (path === null ? undefined : Buffer.from(await readBytes(path)));
  const [authority, certificate, privateKey] = await Promise.all([file(ca), file(cert), file(key)]);
  return {
    clientId: clientId ?? `atoll-${randomBytes(6).toString('hex')}`,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: leastReconnectMs + Math.random() * (mostReconnectMs - leastReconnectMs),
    keepalive: keepaliveSeconds,
    // A name that was drawn is not met again: nothing is kept for it.
    ...(keepsSession && clientId !== undefined ? { clean: false, properties: { sessionExpiryInterval: sessionSeconds } } : {}),
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls ? { rejectUnauthorized: true } : {}),
    ...(authority === undefined ? {} : { ca: authority }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(privateKey === undefined ? {} : { key: privateKey }),
    ...(will === undefined ? {} : { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } }),
  };
}

/** The first connection is made or fails; those after it are tried again and again. */
async function connected(url: string, options: IClientOptions): Promise<{ readonly client: MqttClient; readonly limits: BrokerLimits }> {
  const { default: mqtt } = await import('mqtt');
  return new Promise((resolve, reject) => {
    const client = mqtt.connect(url, options);
    const done = (): void => void client.off('error', failed).off('close', closed).off('connect', settled);
    const failed = (error: unknown): void => {
      done();
      // It may still have something to say.
      client.on('error', () => undefined);
      client.end(true);
      reject(error);
    };
    const closed = (): void => failed(new ClosedWithoutWord());
    const settled = (packet: IConnackPacket): void => {
      done();
      resolve({ client, limits: limitsOf(packet) });
    };
    client.on('error', failed).on('close', closed).on('connect', settled);
  });
}

/** Requests and answers are small, and each waits for the other: nothing is held back to be sent together. */
function sendAtOnce({ stream }: MqttClient): void {
  if ('setNoDelay' in stream) (stream as unknown as Socket).setNoDelay(true);
}

class ClosedWithoutWord extends Error {
  constructor() {
    super('the broker closed the connection');
  }
}

function limitsOf({ properties }: IConnackPacket): BrokerLimits {
  return { receiveMaximum: properties?.receiveMaximum ?? noLimits.receiveMaximum, retains: properties?.retainAvailable !== false };
}

/** Reason codes of DISCONNECT (MQTT 5, 3.14.2.1) that an operator can act on. */
const disconnectReasons: Readonly<Record<number, string>> = {
  135: 'it says that this client is not authorized any more',
  137: 'it says that it is busy',
  139: 'it is shutting down',
  142: 'another client has come under the same client id',
  144: 'it does not take the name of a topic',
  147: 'more messages were sent at once than it takes (receive maximum)',
  149: 'a message was larger than it takes',
  150: 'it takes fewer messages in a time',
  151: 'a quota is used up',
  154: 'it retains no messages',
};

function wordOf(error: unknown): string {
  const reason = reasonOf(error);
  return reason === '' ? String((error as { code?: unknown }).code) : reason;
}

function codeOf(error: unknown): number {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : -1;
}

function brokerError(broker: string, error: unknown): Error {
  const reason = wordOf(error);
  if (refusalCodes.includes(codeOf(error))) return fail('BROKER_REFUSED', { broker, reason }, error);
  if (/certificate|self.signed|TLS|SSL|wrong version number|alert/i.test(`${reason} ${String((error as { code?: unknown }).code)}`))
    return fail('BROKER_TLS', { broker, reason }, error);
  return fail('BROKER_UNREACHABLE', { broker, reason }, error);
}
