// A connection to a broker that reconnects by itself: subscriptions are made again, and publications wait meanwhile.

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

/** A message from a broker. */
export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The broker had retained it before the subscription was made. */
  readonly retained: boolean;
}

/** How a connection to a broker is made, and callbacks for its changes. */
export interface ConnectOptions {
  readonly clientId?: string;
  /** Published by the broker, retained, if this client disconnects without saying so. */
  readonly will?: { readonly topic: string; readonly payload: string };
}

/** MQTT 5, 3.8.3.1: retain handling. */
const sendNoRetained = 2;
const connectTimeoutMs = 5000;
/** How long a broker keeps the session of a disconnected client (MQTT 5, 3.1.2.11.2). */
const sessionSeconds = 86_400;
/** Drawn from this range, so that clients do not all return to a restarted broker at the same moment. */
const reconnectRangeMs = [500, 3000] as const;
/** A connection counts as established after this time. */
const settledMs = 5000;
/** If connections end early, the reconnect delay doubles up to this. */
const maxReconnectMs = 60_000;

/** Timeouts for acknowledgements by the broker (publications may be queued behind others), and for closing. */
const [subscribedWithinMs, publishedWithinMs, closedWithinMs] = [10_000, 60_000, 1000];
/** Some brokers close the connection instead of refusing a subscription; others close one by accident. */
const maxSubscribeAttempts = 3;
/**
 * This many short-lived connections in a row are no accident. A broker that ends a session in favor of another often
 * does not say so.
 */
const unstableAfter = 3;
const unstableReason =
  'the broker closes each connection soon after it is made; another client may have the same client id';

/** Limits that a broker reports in CONNACK (MQTT 5, 3.2.2.3). */
interface BrokerLimits {
  /** Maximum number of unacknowledged messages. */
  readonly receiveMaximum: number;
  readonly retains: boolean;
}

/** For brokers that report none: the number of MQTT packet identifiers. */
const noLimits: BrokerLimits = { receiveMaximum: 65_535, retains: true };

/**
 * Connects to a broker over MQTT 5, or 3.1.1 if it knows no other.
 * @throws BROKER_UNREACHABLE, BROKER_REFUSED, BROKER_QUOTA, BROKER_LIMIT, BROKER_TLS, FILE_NOT_READABLE
 */
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
  throw fail('BROKER_UNREACHABLE', { broker: address.uri, reason: 'it supports neither MQTT 5 nor 3.1.1' });
}

/** Why a connection to a broker fails. */
export interface BrokerTrouble {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly reason: string;
}

/** A connection to a broker that is made again when it is lost, with its subscriptions. */
export class BrokerConnection {
  /** Called when the connection is lost, and when it is back. */
  onChange: ((connected: boolean) => void) | null = null;
  /**
   * Called when this connection has ended for good: another client has connected with the same client id, and each
   * would disconnect the other forever.
   */
  onEnd: ((error: AtollError) => void) | null = null;
  /** Why there is no connection; null while there is one. */
  trouble: BrokerTrouble | null = null;
  private readonly handlers = new Map<string, (message: Message) => void>();
  /** Timer until the connection counts as established. */
  private settling: NodeJS.Timeout | null = null;
  /** Connections in a row that ended before they counted as established. */
  private shortLived = 0;
  /** The broker itself gave the current reason. */
  private isCertain = false;
  /** When the connection was made, by `performance.now()`. */
  private connectedSince = performance.now();
  private hasEnded = false;
  /** Called when this side has closed the connection: pending acknowledgements fail. */
  private readonly waiting = new Set<() => void>();
  private unacknowledged = 0;
  private readonly turns: (() => void)[] = [];

  /** @internal */
  constructor(
    readonly uri: string,
    private readonly client: MqttClient,
    private limits: BrokerLimits = noLimits,
    /** Major version of MQTT that was agreed on. */
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
      // A broker may accept a connection and close it at the first message: wait before clearing the trouble.
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
        // The timer of the next attempt is already running; this applies to the one after it.
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
    // The client reconnects by itself; the error explains why that may fail.
    client.on('error', (error) => this.note(troubleText(error), true));
    client.on('disconnect', ({ reasonCode = 0 }) => {
      this.note(disconnectText(reasonCode), true);
      if (!isTakeover(reasonCode)) return;
      this.endAtOnce();
      this.onEnd?.(brokerError(uri, { code: reasonCode }));
    });
  }

  /** Connections repeatedly end soon after they are made. */
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
   * Resolves when the broker has acknowledged the message.
   * @throws BROKER_REFUSED, BROKER_QUOTA, BROKER_LIMIT as the broker reports; BROKER_UNREACHABLE once this side is
   * closed
   */
  async publish(topic: string, payload: Uint8Array | string, { retain = false } = {}): Promise<void> {
    if (retain && !this.limits.retains)
      throw fail('BROKER_LIMIT', { broker: this.uri, reason: 'it does not retain messages' });
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
   * Sets the handler of each filter. Several filters are one request, for which brokers send retained messages in the
   * order of the filters.
   * @param qos 1, or 0 if more messages are retained than brokers queue: mosquitto silently drops those beyond a
   * thousand
   * @param retained false: only messages published from now on, if the broker supports MQTT 5
   * @throws BROKER_REFUSED, BROKER_QUOTA, BROKER_LIMIT as the broker reports
   */
  async subscribe(
    filters: string | readonly string[],
    handle: (message: Message) => void,
    { qos = 1, retained = true }: { readonly qos?: 0 | 1; readonly retained?: boolean } = {},
  ): Promise<void> {
    const all = typeof filters === 'string' ? [filters] : [...filters];
    for (const filter of all) this.handlers.set(filter, handle);
    const refused = (error: unknown): Error => {
      // Otherwise the client would subscribe again on each new connection, and some brokers would close it for that.
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

  /** Subscribes. A request that is lost with its connection is repeated on the next one. */
  private async requestSubscription(
    filters: readonly string[],
    options: IClientSubscribeOptions,
  ): Promise<readonly ISubscriptionGrant[]> {
    for (let attempt = 1; ; attempt += 1) {
      // The client repeats a subscription only if told to.
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

  /** Disconnects cleanly, so that no last will is published. */
  async close(): Promise<void> {
    this.handlers.clear();
    this.onChange = null;
    // Do not wait for a broker that acknowledges nothing.
    const ended = this.client.endAsync(!this.client.connected).catch(() => undefined);
    if (await Promise.race([ended.then(() => false), delay(closedWithinMs, true, { ref: false })])) this.endAtOnce();
    else this.failWaiting();
  }

  /** Closes the socket without a DISCONNECT. */
  private endAtOnce(): void {
    this.client.end(true);
    // The client does nothing if it is already ending.
    this.client.stream.destroy();
    this.failWaiting();
  }

  private failWaiting(): void {
    this.hasEnded = true;
    for (const giveUp of [...this.waiting]) giveUp();
  }

  /**
   * Limits the wait for an acknowledgement. Time without a connection does not count: the request is then sent again.
   */
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
    // If both fail, only one error is reported.
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
    // OpenSSL silently ignores a file of authorities that contains none.
    if (!bytes.includes(`${holds}-----`))
      throw fail('BROKER_TLS', {
        broker: address.uri,
        reason: `${path} is not a PEM file with a ${holds.toLowerCase()}`,
      });
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
    // A random client id is never used again, so nothing is kept for it.
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

/** Makes the first connection or fails; later connections are retried without end. */
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
      // Late errors are ignored.
      client.on('error', () => undefined);
      client.end(true);
      reject(
        isTimeout(error)
          ? new NoAnswer('it accepts the connection but does not answer', { cause: error })
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

/** Requests and responses are small and wait for each other: send each at once (no Nagle algorithm). */
function sendAtOnce({ stream }: MqttClient): void {
  if ('setNoDelay' in stream) (stream as unknown as Socket).setNoDelay(true);
}

/** Connected, but no CONNACK. */
class NoAnswer extends Error {}

function closedEarly(url: string): NoAnswer {
  const tls = url.startsWith('mqtts:');
  return new NoAnswer(
    'it closes the connection without an answer; the port may be ' +
      `${tls ? 'without TLS (mqtt:)' : 'for TLS (mqtts:)'}, or for another protocol`,
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
