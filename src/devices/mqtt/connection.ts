// A connection to a broker that comes back by itself: subscriptions are made again, what is published meanwhile waits.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  IClientOptions,
  IClientSubscribeOptions,
  IConnackPacket,
  ISubscriptionGrant,
  ISubscriptionMap,
  MqttClient,
} from 'mqtt';
import { type AtollError, fail } from '../../base/errors.js';
import { readBytes } from '../../base/files/index.js';
import type { BrokerAddress } from './address.js';
import { brokerError, disconnectText, isTakeover, mayBeVersion, troubleText } from './reasons.js';
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
/** Drawn from this range, so that clients do not all return to a restarted broker at the same moment. */
const reconnectRangeMs = [500, 3000] as const;
/** A connection counts as established after this time. */
const settledMs = 5000;
/** Where connections end before they settle, the time before the next one doubles up to this. */
const maxReconnectMs = 60_000;

/** For a broker to acknowledge; publications may wait behind others. And to close. */
const [subscribedWithinMs, publishedWithinMs, closedWithinMs] = [10_000, 60_000, 1000];
/** Some brokers close the connection instead of refusing a subscription; others close one by accident. */
const maxSubscribeAttempts = 3;
/**
 * So many short-lived connections in a row are no accident. Brokers that end a session in favor of another often do not
 * say so.
 */
const unstableAfter = 3;
const unstableReason =
  'the broker closes each connection soon after it was made: perhaps another client has the same client id';

/** Limits that a broker announces in CONNACK (MQTT 5, 3.2.2.3). */
interface BrokerLimits {
  /** How many messages may be unacknowledged at the same time. */
  readonly receiveMaximum: number;
  readonly retains: boolean;
}

/** For brokers that announce none: the number of MQTT packet identifiers. */
const noLimits: BrokerLimits = { receiveMaximum: 65_535, retains: true };

/** @throws BROKER_UNREACHABLE, BROKER_REFUSED, BROKER_QUOTA, BROKER_LIMIT, BROKER_TLS, FILE_NOT_READABLE */
export async function connectToBroker(address: BrokerAddress, options: ConnectOptions = {}): Promise<BrokerConnection> {
  const settings = await settingsOf(address, options);
  let first: unknown = null;
  for (const version of address.version === null ? ([5, 4] as const) : [address.version]) {
    try {
      const { client, limits } = await connected(address.url, { ...settings, protocolVersion: version });
      return new BrokerConnection(address.uri, client, limits, version);
    } catch (error) {
      // Some brokers without MQTT 5 close the connection without an answer, or leave it open without one.
      if (version === 5 && address.version === null && (mayBeVersion(error) || error instanceof NoAnswer)) {
        first = error;
        continue;
      }
      throw brokerError(address.uri, error instanceof NoAnswer ? (first ?? error) : error);
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
  /**
   * Called when this connection has ended for good: another client has connected with the same client id, and two would
   * put each other out for ever.
   */
  onEnd: ((error: AtollError) => void) | null = null;
  /** Why there is no connection; null while there is one. */
  trouble: BrokerTrouble | null = null;
  private readonly handlers = new Map<string, (message: Message) => void>();
  /** Set between a new connection and the time at which it counts as established. */
  private settling: NodeJS.Timeout | null = null;
  /** Connections in a row that ended before they counted as established. */
  private shortLived = 0;
  /** The broker gave the present reason itself. */
  private isCertain = false;
  /** When the connection was made, on the clock of `performance`. */
  private connectedSince = performance.now();
  private hasEnded = false;
  /** Called when this side has ended: what waits for an acknowledgement fails. */
  private readonly waiting = new Set<() => void>();
  private unacknowledged = 0;
  private readonly turns: (() => void)[] = [];

  constructor(
    readonly uri: string,
    private readonly client: MqttClient,
    private limits: BrokerLimits = noLimits,
    readonly version: 4 | 5 = 5,
  ) {
    const defaultReconnectMs = client.options.reconnectPeriod ?? reconnectRangeMs[1];
    client.on('message', (topic, payload, { retain }) => {
      const message = { topic, payload: new Uint8Array(payload), retained: retain };
      for (const [filter, handle] of this.handlers) if (matchesFilter(filter, topic)) handle(message);
    });
    sendAtOnce(client);
    client.on('connect', (packet) => {
      this.limits = limitsOf(packet);
      this.connectedSince = performance.now();
      sendAtOnce(client);
      // A broker may accept a connection and close it at the first message: wait before the trouble counts as over.
      this.settling = setTimeout(() => {
        this.clear();
        this.settling = null;
        this.shortLived = 0;
        client.options.reconnectPeriod = defaultReconnectMs;
      }, settledMs).unref();
      this.onChange?.(true);
    });
    client.on('close', () => {
      if (this.settling !== null) {
        this.shortLived += 1;
        // The timer of the next attempt is set already: this is for the one after it.
        client.options.reconnectPeriod = Math.min(
          maxReconnectMs,
          2 * (client.options.reconnectPeriod ?? defaultReconnectMs),
        );
      }
      this.stopSettling();
      this.note('the broker closed the connection');
      if (this.isUnstable && !this.isCertain) this.note(unstableReason, true);
      this.onChange?.(false);
    });
    // The client reconnects by itself; the error explains why that may not succeed.
    client.on('error', (error) => this.note(troubleText(error), true));
    client.on('disconnect', ({ reasonCode = 0 }) => {
      this.note(disconnectText(reasonCode), true);
      if (!isTakeover(reasonCode)) return;
      this.endAtOnce();
      this.onEnd?.(brokerError(uri, { code: reasonCode }));
    });
  }

  /** Connections are made and soon closed, again and again. */
  get isUnstable(): boolean {
    return this.shortLived >= unstableAfter;
  }

  private stopSettling(): void {
    clearTimeout(this.settling ?? undefined);
    this.settling = null;
  }

  private clear(): void {
    this.trouble = null;
  }

  /** @param certain the broker gave this reason; it replaces a reason that was only inferred from the connection */
  private note(reason: string, certain = false): void {
    if (this.trouble !== null && !certain) return;
    this.trouble = { since: this.trouble?.since ?? Date.now(), reason };
    this.isCertain = certain;
  }

  /**
   * Resolves when the broker has the message.
   * @throws BROKER_REFUSED, BROKER_QUOTA, BROKER_LIMIT as the broker says; BROKER_UNREACHABLE once this side is closed
   */
  async publish(topic: string, payload: Uint8Array | string, { retain = false } = {}): Promise<void> {
    if (retain && !this.limits.retains)
      throw fail('BROKER_LIMIT', { broker: this.uri, reason: 'it says that it retains no messages' });
    const content =
      typeof payload === 'string' ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    while (this.unacknowledged >= this.limits.receiveMaximum)
      await new Promise<void>((resolve) => this.turns.push(resolve));
    this.unacknowledged += 1;
    try {
      await this.acknowledged(this.client.publishAsync(topic, content, { qos: 1, retain }), publishedWithinMs);
      this.clear();
    } catch (error) {
      throw brokerError(this.uri, error, `publishing to ${topic}`);
    } finally {
      this.unacknowledged -= 1;
      this.turns.shift()?.();
    }
  }

  /**
   * One handler for each filter; several filters are one request, for which brokers send what they retain in the order
   * of the filters.
   * @param qos 1, or 0 for more retained messages than brokers queue: mosquitto drops those beyond a thousand, and says
   * nothing
   * @param retained false: only what is published from now on, where the broker speaks MQTT 5
   * @throws BROKER_REFUSED, BROKER_QUOTA, BROKER_LIMIT as the broker says
   */
  async subscribe(
    filters: string | readonly string[],
    handle: (message: Message) => void,
    { qos = 1, retained = true }: { readonly qos?: 0 | 1; readonly retained?: boolean } = {},
  ): Promise<void> {
    const all = typeof filters === 'string' ? [filters] : [...filters];
    for (const filter of all) this.handlers.set(filter, handle);
    const refused = (error: unknown): Error => {
      // Otherwise the client asks for it again on each new connection, and some brokers end the connection for it.
      void this.unsubscribe(all);
      return brokerError(this.uri, error, `subscribing to ${all.join(', ')}`);
    };
    const options: IClientSubscribeOptions = { qos, ...(retained ? {} : { rh: sendNoRetained }) };
    const granted = await this.requestSubscription(all, options).catch((error: unknown) => {
      throw refused(error);
    });
    const refusal = granted.find((one) => one.qos > 2);
    if (refusal !== undefined) throw refused({ code: refusal.qos });
  }

  /** A request that was lost with its connection is made again on the next one. */
  private async requestSubscription(
    filters: readonly string[],
    options: IClientSubscribeOptions,
  ): Promise<readonly ISubscriptionGrant[]> {
    for (let attempt = 1; ; attempt += 1) {
      // The client sends a filter twice only if told to.
      const again = { ...Object.fromEntries(filters.map((filter) => [filter, options])), resubscribe: true };
      const request = this.client.subscribeAsync(attempt === 1 ? [...filters] : (again as ISubscriptionMap), options);
      try {
        return await this.acknowledged(request, subscribedWithinMs);
      } catch (error) {
        if (!isConnectionClosed(error) || this.hasEnded) throw error;
        if (attempt === maxSubscribeAttempts)
          throw new Error(`the broker closed the connection at this request, ${attempt} times in a row`, {
            cause: error,
          });
      }
    }
  }

  async unsubscribe(filters: string | readonly string[]): Promise<void> {
    const all = typeof filters === 'string' ? [filters] : [...filters];
    for (const filter of all) this.handlers.delete(filter);
    await this.acknowledged(this.client.unsubscribeAsync(all), subscribedWithinMs).catch(() => undefined);
  }

  /** Without last will. */
  async close(): Promise<void> {
    this.handlers.clear();
    this.onChange = null;
    // A broker that acknowledges nothing is not waited for.
    const ended = this.client.endAsync(!this.client.connected).catch(() => undefined);
    if (await Promise.race([ended.then(() => false), delay(closedWithinMs, true, { ref: false })])) this.endAtOnce();
    else this.failWaiting();
  }

  /** Without a farewell to the broker. */
  private endAtOnce(): void {
    this.client.end(true);
    // The client does nothing more where it is ending already.
    this.client.stream.destroy();
    this.failWaiting();
  }

  private failWaiting(): void {
    this.hasEnded = true;
    for (const giveUp of [...this.waiting]) giveUp();
  }

  /** Limits the wait for an acknowledgement. Time without a connection does not count: the request is sent again. */
  private async acknowledged<T>(work: Promise<T>, ms: number): Promise<T> {
    const start = performance.now();
    let timer: NodeJS.Timeout | undefined;
    let giveUp = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      giveUp = () => reject(new Error('this side has ended the connection'));
      const expire = (): void => {
        const waitedMs = this.client.connected ? performance.now() - Math.max(start, this.connectedSince) : 0;
        if (waitedMs >= ms) reject(new Error(`no acknowledgement for ${ms / 1000} s`));
        else timer = setTimeout(expire, ms - waitedMs);
      };
      timer = setTimeout(expire, ms);
      if (this.hasEnded) giveUp();
      else this.waiting.add(giveUp);
    });
    // Of two that fail, one is told.
    work.catch(() => undefined);
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
      this.waiting.delete(giveUp);
    }
  }
}

async function settingsOf(address: BrokerAddress, { clientId, will }: ConnectOptions): Promise<IClientOptions> {
  const { username, password, ca, cert, key, tls, keepsSession, keepaliveSeconds } = address;
  const file = async (path: string | null, holds: string): Promise<Buffer | undefined> => {
    if (path === null) return undefined;
    const bytes = Buffer.from(await readBytes(path));
    // OpenSSL ignores a file of authorities that holds none.
    if (!bytes.includes(`${holds}-----`))
      throw fail('BROKER_TLS', { broker: address.uri, reason: `${path} is no PEM file with a ${holds.toLowerCase()}` });
    return bytes;
  };
  const [authority, certificate, privateKey] = await Promise.all([
    file(ca, 'CERTIFICATE'),
    file(cert, 'CERTIFICATE'),
    file(key, 'PRIVATE KEY'),
  ]);
  return {
    clientId: clientId ?? `atoll-${randomBytes(6).toString('hex')}`,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: reconnectRangeMs[0] + Math.random() * (reconnectRangeMs[1] - reconnectRangeMs[0]),
    keepalive: keepaliveSeconds,
    // A name that was drawn is not met again: nothing is kept for it.
    ...(keepsSession && clientId !== undefined
      ? { clean: false, properties: { sessionExpiryInterval: sessionSeconds } }
      : {}),
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls ? { rejectUnauthorized: true } : {}),
    ...(authority === undefined ? {} : { ca: authority }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(privateKey === undefined ? {} : { key: privateKey }),
    ...(will === undefined
      ? {}
      : { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } }),
  };
}

/** The first connection is made or fails; those after it are tried again and again. */
async function connected(
  url: string,
  options: IClientOptions,
): Promise<{ readonly client: MqttClient; readonly limits: BrokerLimits }> {
  const { default: mqtt } = await import('mqtt');
  return new Promise((resolve, reject) => {
    const client = mqtt.connect(url, options);
    const done = (): void => void client.off('error', failed).off('close', closed).off('connect', settled);
    const failed = (error: unknown): void => {
      done();
      // It may still have something to say.
      client.on('error', () => undefined);
      client.end(true);
      reject(
        isTimeout(error)
          ? new NoAnswer('it accepts the connection and does not answer', { cause: error })
          : isReset(error)
            ? closedEarly(url)
            : error,
      );
    };
    const closed = (): void => failed(closedEarly(url));
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

/** There was a connection, and no CONNACK. */
class NoAnswer extends Error {}

function closedEarly(url: string): NoAnswer {
  const tls = url.startsWith('mqtts:');
  return new NoAnswer(
    `it closes the connection without an answer; perhaps the port is ${tls ? 'not for TLS (mqtt:)' : 'for TLS (mqtts:)'}, or for another protocol`,
  );
}

function isReset(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ECONNRESET';
}

/** The client's own error for a request that the broker had not acknowledged when the connection was closed. */
function isConnectionClosed(error: unknown): boolean {
  return error instanceof Error && error.message === 'Connection closed';
}

/** The client's own error where no CONNACK comes in time. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'connack timeout';
}

function limitsOf({ properties }: IConnackPacket): BrokerLimits {
  return {
    receiveMaximum: properties?.receiveMaximum ?? noLimits.receiveMaximum,
    retains: properties?.retainAvailable !== false,
  };
}
