// Requests and answers over a transport, one at a time. A request that stays unanswered is repeated with a new sequence
// number; answers with another number are late ones and are dropped.

import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '../errors.js';
import {
  adviceFor,
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
import type { Transport } from '../transport/index.js';

export interface RequestOptions {
  readonly timeoutMs?: number;
  /** How often the request is sent before giving up. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
}

/** A status code that the device answered instead of a result. */
export interface DeviceStatus {
  /** null for errors of the protocol itself. */
  readonly group: number | null;
  readonly rc: number;
  readonly name: string;
  readonly map: CborMap;
}

export type Answer<C extends Command> = { readonly ok: true; readonly value: ResponseOf<C> } | { readonly ok: false; readonly status: DeviceStatus };

const defaultTimeoutMs = 2500;
/** For commands that run the model. */
export const inferenceTimeoutMs = 60_000;
const defaultAttempts = 4;
/** What a device takes that does not answer `params`. */
const fallbackPacketBytes = 256;
const smallestPacketBytes = 80;

export class SmpClient {
  private sequence = Math.floor(Math.random() * 256);
  private waiting: { request: SmpPacket; resolve: (packet: SmpPacket | null) => void } | null = null;
  private queue: Promise<unknown> = Promise.resolve();
  private closed = false;
  private packetLimit: number | null = null;

  /** @param defaults for requests that do not say otherwise */
  constructor(
    private readonly transport: Transport,
    private readonly defaults: Pick<RequestOptions, 'timeoutMs' | 'attempts'> = {},
  ) {
    transport.onPacket = (bytes) => this.receive(bytes);
    transport.onClose = () => {
      this.closed = true;
      this.waiting?.resolve(null);
    };
  }

  get name(): string {
    return this.transport.name;
  }

  /**
   * @throws DEVICE_ERROR for a status code, DEVICE_TIMEOUT, DEVICE_CLOSED, DEVICE_ANSWER, CBOR_MALFORMED
   */
  async request<C extends Command>(command: C, request: RequestOf<C>, options: RequestOptions = {}): Promise<ResponseOf<C>> {
    const answer = await this.ask(command, request, options);
    if (answer.ok) return answer.value;
    const { group, rc, name, map } = answer.status;
    const detail = typeof map.detail === 'string' ? `: ${map.detail}` : typeof map.rsn === 'string' ? `: ${map.rsn}` : '';
    throw fail('DEVICE_ERROR', { command: command.name, name, group: group ?? 'SMP', rc, detail, advice: adviceFor(name) });
  }

  /** Like `request`, but gives a status code back instead of throwing it. */
  async ask<C extends Command>(command: C, request: RequestOf<C>, options: RequestOptions = {}): Promise<Answer<C>> {
    const turn = this.queue.then(() => this.exchange(command, request, options));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** The largest packet that the device takes, header included. */
  async maxPacketBytes(signal?: AbortSignal): Promise<number> {
    if (this.packetLimit !== null) return this.packetLimit;
    const answer = await this.ask(osCommands.params, {}, signal === undefined ? {} : { signal });
    const limit = answer.ok ? answer.value.buf_size : fallbackPacketBytes;
    if (limit < smallestPacketBytes) throw fail('DEVICE_ANSWER', { command: 'params', reason: `packets of ${limit} bytes are too small for any command` });
    this.packetLimit = Math.min(limit, maxPacketBytes);
    return this.packetLimit;
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  private async exchange<C extends Command>(command: C, request: RequestOf<C>, options: RequestOptions): Promise<Answer<C>> {
    const { timeoutMs = defaultTimeoutMs, attempts = defaultAttempts, signal } = { ...this.defaults, ...options };
    const payload = encodePayload(request as object);
    for (let attempt = 0; attempt < attempts; attempt++) {
      signal?.throwIfAborted();
      if (this.closed) throw fail('DEVICE_CLOSED', { device: this.name });
      this.sequence = (this.sequence + 1) & 0xff;
      const { group, id, op } = command;
      const response = await this.sendAndWait({ version: 1, op, group, sequence: this.sequence, command: id, payload }, timeoutMs, signal);
      if (response === null) continue;
      return interpret(command, response);
    }
    signal?.throwIfAborted();
    if (this.closed) throw fail('DEVICE_CLOSED', { device: this.name });
    throw fail('DEVICE_TIMEOUT', { command: command.name, timeoutMs, attempts });
  }

  private async sendAndWait(request: SmpPacket, timeoutMs: number, signal: AbortSignal | undefined): Promise<SmpPacket | null> {
    const timer = new AbortController();
    const arrived = new Promise<SmpPacket | null>((resolve) => {
      this.waiting = { request, resolve };
    });
    try {
      // The clock runs while sending too: a stuck line must not hold the caller for ever.
      const sent = this.transport.send(encodePacket(request));
      const timeout = delay(timeoutMs, null, { signal: AbortSignal.any([timer.signal, ...(signal === undefined ? [] : [signal])]) }).catch(() => null);
      return await Promise.race([sent.then(() => arrived), timeout]);
    } finally {
      this.waiting = null;
      timer.abort();
    }
  }

  private receive(bytes: Uint8Array): void {
    let packet: SmpPacket;
    try {
      packet = decodePacket(bytes);
    } catch {
      // A damaged packet is as good as none: the request is repeated.
      return;
    }
    const request = this.waiting?.request;
    if (request !== undefined && answers(request, packet)) this.waiting?.resolve(packet);
  }
}

/** A late answer has another sequence number; after it has wrapped, another command gives it away. */
function answers(request: SmpPacket, packet: SmpPacket): boolean {
  return packet.sequence === request.sequence && packet.op === request.op + 1 && packet.group === request.group && packet.command === request.command;
}

/** In version 1 the codes of user groups begin here. */
const userStatus = 256;

function interpret<C extends Command>(command: C, packet: SmpPacket): Answer<C> {
  const map: CborMap = packet.payload.byteLength === 0 ? {} : decodeMap(packet.payload, `the answer to ${command.name}`);
  const { err, rc } = map;
  // Group errors come as `err`; errors of the protocol itself come as `rc`, in both versions.
  if (err !== null && typeof err === 'object' && 'group' in err && 'rc' in err) {
    const [group, code] = [Number(err.group), Number(err.rc)];
    return { ok: false, status: { group, rc: code, name: statusName(group, code), map } };
  }
  if (packet.version === 0 && typeof rc === 'number' && rc >= userStatus) {
    const code = rc - userStatus;
    return { ok: false, status: { group: packet.group, rc: code, name: statusName(packet.group, code), map } };
  }
  if (typeof rc === 'number' && rc !== 0) return { ok: false, status: { group: null, rc, name: statusName(null, rc), map } };
  return { ok: true, value: decodeResponse(command, map) };
}
