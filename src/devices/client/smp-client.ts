// Requests and responses over a transport. An unanswered request is repeated with a new sequence number, each time with
// a longer timeout; responses to finished requests are dropped.

import { setTimeout as delay } from 'node:timers/promises';
import { AtollError, fail } from '../../base/errors.js';
import {
  type CborMap,
  type Command,
  decodeMap,
  decodePacket,
  decodeResponse,
  encodePacket,
  encodePayload,
  maxPacketBytes,
  osCommands,
  type RequestOf,
  type ResponseOf,
  type SmpPacket,
  statusName,
} from '../protocol/index.js';
import type { LineProperties, Transport } from '../transport/index.js';
import { explainSilence } from './silence.js';

/** Timeouts and repetitions of a request. */
export interface RequestOptions {
  /** Until the first repetition. */
  readonly timeoutMs?: number;
  /** Number of attempts. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
}

/** As an option of a request, if there is one. */
export function signalOf(signal: AbortSignal | undefined): Pick<RequestOptions, 'signal'> {
  return signal === undefined ? {} : { signal };
}

/** A status code that the device returned instead of a result. */
export interface DeviceStatus {
  /** null for errors of the protocol itself. */
  readonly group: number | null;
  readonly rc: number;
  readonly name: string;
  readonly map: CborMap;
}

export type Answer<C extends Command> =
  | { readonly ok: true; readonly value: ResponseOf<C> }
  | { readonly ok: false; readonly status: DeviceStatus };

/** Limits of a device. */
export interface PacketLimits {
  /** The largest packet, header included. */
  readonly maxPacketBytes: number;
  /** Number of requests that may wait for their responses. */
  readonly buffers: number;
}

/** What a device was found to receive completely, which may be less than it reports. */
export interface LearnedLimit {
  readonly maxPacketBytes: number;
  /** Milliseconds between pieces of a packet; 0 for none. */
  readonly pauseMs: number;
}

/** Keeps the limits learned about devices between runs. */
export interface LimitMemory {
  readonly recall: (device: string) => LearnedLimit | null;
  readonly remember: (device: string, limit: LearnedLimit) => Promise<void>;
}

const defaultTimeoutMs = 1500;
/** For commands that run the model. A slower device is asked again, and its first response is taken. */
export const inferenceTimeoutMs = 10_000;
const defaultAttempts = 4;
/** Each attempt waits twice as long as the previous one, up to this time or that of the first attempt. */
const maxGrownTimeoutMs = 40_000;
/** Limits of a device that does not answer `params`. */
const fallbackPacketBytes = 256;
export const smallestPacketBytes = 80;

export class SmpClient {
  private sequence = Math.floor(Math.random() * 256);
  private readonly waiting = new Map<number, { request: SmpPacket; resolve: (packet: SmpPacket | null) => void }>();
  private inFlight = 0;
  private readonly turns: (() => void)[] = [];
  private closed: string | AtollError | null = null;
  private limits: PacketLimits | null = null;
  private learned: LearnedLimit | null = null;
  /** A request came back as it was sent. */
  private heardOwn = false;
  /** Read once the device has reported its limits, and updated with what is learned. */
  memory: LimitMemory | null = null;
  /** Maximum number of requests in flight; others wait. */
  window = 1;

  /** @param defaults for requests without options of their own */
  constructor(
    private transport: Transport,
    private readonly defaults: Pick<RequestOptions, 'timeoutMs' | 'attempts'> = {},
  ) {
    this.attach(transport);
  }

  /** Continues over another transport: the device reappeared elsewhere. */
  attach(transport: Transport): void {
    transport.onLog = this.transport.onLog;
    this.transport = transport;
    this.closed = null;
    this.limits = null;
    transport.onPacket = (bytes) => this.receive(bytes);
    transport.onClose = (reason) => {
      this.closed = reason ?? 'it was closed here';
      for (const { resolve } of this.waiting.values()) resolve(null);
    };
  }

  get name(): string {
    return this.transport.name;
  }

  get line(): LineProperties {
    return this.transport.line;
  }

  /** Called with log lines of the device. */
  set onLog(callback: (line: string) => void) {
    this.transport.onLog = callback;
  }

  /**
   * @throws DEVICE_ERROR for a status code, DEVICE_TIMEOUT, DEVICE_CLOSED, DEVICE_ANSWER, CBOR_MALFORMED
   */
  async request<C extends Command>(
    command: C,
    request: RequestOf<C>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<C>> {
    const answer = await this.ask(command, request, options);
    if (answer.ok) return answer.value;
    throw statusError(command, answer.status);
  }

  /** Like `request`, but returns a status code instead of throwing it. */
  async ask<C extends Command>(command: C, request: RequestOf<C>, options: RequestOptions = {}): Promise<Answer<C>> {
    await this.turn();
    try {
      return await this.exchange(command, request, options);
    } finally {
      this.inFlight -= 1;
      this.turns.shift()?.();
    }
  }

  /** Like `ask`, but the request is sent once; null if no response comes in time. */
  async askOnce<C extends Command>(
    command: C,
    request: RequestOf<C>,
    options: Omit<RequestOptions, 'attempts'> = {},
  ): Promise<Answer<C> | null> {
    return this.ask(command, request, { ...options, attempts: 1 }).catch((error: unknown) => {
      if (error instanceof AtollError && error.code === 'DEVICE_TIMEOUT') return null;
      throw error;
    });
  }

  /**
   * The limits that the device reports, or lower ones if it was found to lose packets; small ones if it reports none.
   */
  async packetLimits(signal?: AbortSignal): Promise<PacketLimits> {
    const { buffers, maxPacketBytes } = await this.announcedLimits(signal);
    return { buffers, maxPacketBytes: Math.min(maxPacketBytes, this.learned?.maxPacketBytes ?? maxPacketBytes) };
  }

  /** Limits later packets, also in later runs if there is a memory. */
  async learn(limit: LearnedLimit): Promise<void> {
    this.apply(limit);
    await this.memory?.remember(this.identity, limit);
  }

  /** Between pieces of a packet, in milliseconds. */
  get pauseMs(): number {
    return this.transport.pauseMs ?? 0;
  }

  set pauseMs(pauseMs: number) {
    if (this.transport.pauseMs !== undefined) this.transport.pauseMs = pauseMs;
  }

  /** Whether packets of this transport can be sent in pieces. */
  get canPause(): boolean {
    return this.transport.pauseMs !== undefined;
  }

  private async announcedLimits(signal?: AbortSignal): Promise<PacketLimits> {
    if (this.limits !== null) return this.limits;
    const answer = await this.ask(osCommands.params, {}, signalOf(signal));
    const params = answer.ok ? answer.value : { buf_size: fallbackPacketBytes, buf_count: 1 };
    const limit = Math.min(this.transport.line.maxPacketBytes(params.buf_size), maxPacketBytes);
    if (limit < smallestPacketBytes)
      throw fail('DEVICE_ANSWER', {
        command: 'params',
        reason: `packets of ${limit} bytes are too small for any command`,
      });
    this.limits = { maxPacketBytes: limit, buffers: Math.max(1, params.buf_count) };
    const known = this.memory?.recall(this.identity) ?? null;
    if (known !== null) this.apply(known);
    return this.limits;
  }

  /** Part of the key, for the device behind the address: another device there will rarely have the same buffers. */
  private get identity(): string {
    return `${this.name} ${this.limits?.maxPacketBytes}x${this.limits?.buffers}`;
  }

  private apply(limit: LearnedLimit): void {
    this.learned = limit;
    this.pauseMs = limit.pauseMs;
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  private async turn(): Promise<void> {
    while (this.inFlight >= this.window) await new Promise<void>((resolve) => this.turns.push(resolve));
    this.inFlight += 1;
  }

  private async exchange<C extends Command>(
    command: C,
    request: RequestOf<C>,
    options: RequestOptions,
  ): Promise<Answer<C>> {
    const { timeoutMs = defaultTimeoutMs, attempts = defaultAttempts, signal } = { ...this.defaults, ...options };
    const payload = encodePayload(request as object);
    const { group, id, op } = command;
    const sequences: number[] = [];
    let resolveResponse: (packet: SmpPacket | null) => void = () => undefined;
    const received = new Promise<SmpPacket | null>((resolve) => {
      resolveResponse = resolve;
    });
    let waitedMs = 0;
    try {
      for (let attempt = 0; attempt < attempts; attempt++) {
        signal?.throwIfAborted();
        this.requireOpen();
        const attemptMs = Math.min(timeoutMs * 2 ** attempt, Math.max(timeoutMs, maxGrownTimeoutMs));
        const packet = { version: 1, op, group, sequence: this.nextSequence(), command: id, payload };
        // A late response to an earlier attempt answers this request too.
        sequences.push(packet.sequence);
        this.waiting.set(packet.sequence, { request: packet, resolve: resolveResponse });
        const response = await this.sendAndWait(packet, received, attemptMs, signal);
        if (response !== null) return interpret(command, response);
        waitedMs += attemptMs;
      }
    } finally {
      for (const sequence of sequences) this.waiting.delete(sequence);
    }
    signal?.throwIfAborted();
    this.requireOpen();
    const silence = explainSilence(this.transport.received ?? null, this.heardOwn);
    throw fail('DEVICE_TIMEOUT', { command: command.name, timeoutMs: waitedMs, attempts, ...silence });
  }

  private requireOpen(): void {
    if (this.closed !== null)
      throw typeof this.closed === 'string'
        ? fail('DEVICE_CLOSED', { device: this.name, reason: this.closed })
        : this.closed;
  }

  private nextSequence(): number {
    do this.sequence = (this.sequence + 1) & 0xff;
    while (this.waiting.has(this.sequence));
    return this.sequence;
  }

  private async sendAndWait(
    request: SmpPacket,
    received: Promise<SmpPacket | null>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<SmpPacket | null> {
    const timer = new AbortController();
    try {
      // The timeout includes sending: a stuck line must not block the caller forever.
      const sent = this.transport.send(encodePacket(request));
      const timeout = delay(timeoutMs, null, {
        signal: AbortSignal.any([timer.signal, ...(signal === undefined ? [] : [signal])]),
      }).catch(() => null);
      return await Promise.race([sent.then(() => received), timeout]);
    } finally {
      timer.abort();
    }
  }

  private receive(bytes: Uint8Array): void {
    let packet: SmpPacket;
    try {
      packet = decodePacket(bytes);
    } catch {
      // A damaged packet counts as lost: the request is repeated.
      return;
    }
    const waiting = this.waiting.get(packet.sequence);
    if (waiting === undefined) return;
    if (answers(waiting.request, packet)) waiting.resolve(packet);
    else if (
      packet.op === waiting.request.op &&
      packet.group === waiting.request.group &&
      packet.command === waiting.request.command
    )
      this.heardOwn = true;
  }
}

/** A late response has another sequence number; after the number has wrapped, another command reveals it. */
function answers(request: SmpPacket, packet: SmpPacket): boolean {
  return packet.op === request.op + 1 && packet.group === request.group && packet.command === request.command;
}

/** The coded error for a status that a device returned. */
export function statusError(command: Command, { group, rc, name, map }: DeviceStatus): Error {
  const detail = typeof map.detail === 'string' ? `: ${map.detail}` : typeof map.rsn === 'string' ? `: ${map.rsn}` : '';
  return fail('DEVICE_ERROR', { command: command.name, name, group: group ?? 'SMP', rc, detail });
}

/** In version 1 the codes of user groups start here. */
const userStatus = 256;

function interpret<C extends Command>(command: C, packet: SmpPacket): Answer<C> {
  const map: CborMap =
    packet.payload.byteLength === 0 ? {} : decodeMap(packet.payload, `the answer to ${command.name}`);
  const { err, rc } = map;
  // Group errors come as `err`; protocol errors come as `rc`, in both versions.
  if (err !== null && typeof err === 'object' && 'group' in err && 'rc' in err) {
    const [group, code] = [Number(err.group), Number(err.rc)];
    return { ok: false, status: { group, rc: code, name: statusName(group, code), map } };
  }
  if (packet.version === 0 && typeof rc === 'number' && rc >= userStatus) {
    const code = rc - userStatus;
    return { ok: false, status: { group: packet.group, rc: code, name: statusName(packet.group, code), map } };
  }
  if (typeof rc === 'number' && rc !== 0)
    return { ok: false, status: { group: null, rc, name: statusName(null, rc), map } };
  return { ok: true, value: decodeResponse(command, map) };
}
