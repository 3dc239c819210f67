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
const defaultAttempts = 4;
/** What a device takes that does not answer `params`. */
const fallbackPacketBytes = 256;

export class SmpClient {
  private sequence = Math.floor(Math.random() * 256);
  private waiting: { sequence: number; resolve: (packet: SmpPacket | null) => void } | null = null;
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
    this.packetLimit = answer.ok ? answer.value.buf_size : fallbackPacketBytes;
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
      const response = await this.sendAndWait(encodePacket({ version: 1, op, group, sequence: this.sequence, command: id, payload }), timeoutMs, signal);
      if (response === null) continue;
      return interpret(command, response);
    }
    if (this.closed) throw fail('DEVICE_CLOSED', { device: this.name });
    throw fail('DEVICE_TIMEOUT', { command: command.name, timeoutMs, attempts });
  }

  private async sendAndWait(packet: Uint8Array, timeoutMs: number, signal: AbortSignal | undefined): Promise<SmpPacket | null> {
    const { sequence } = this;
    const timer = new AbortController();
    const arrived = new Promise<SmpPacket | null>((resolve) => {
      this.waiting = { sequence, resolve };
    });
    try {
      await this.transport.send(packet);
      const timeout = delay(timeoutMs, null, { signal: AbortSignal.any([timer.signal, ...(signal === undefined ? [] : [signal])]) }).catch(() => null);
      return await Promise.race([arrived, timeout]);
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
    if (this.waiting?.sequence === packet.sequence) this.waiting.resolve(packet);
  }
}

function interpret<C extends Command>(command: C, packet: SmpPacket): Answer<C> {
  const map: CborMap = packet.payload.byteLength === 0 ? {} : decodeMap(packet.payload, `the answer to ${command.name}`);
  const { err, rc } = map;
  // Group errors come as `err`; errors of the protocol itself come as `rc`, in both versions.
  if (err !== null && typeof err === 'object' && 'group' in err && 'rc' in err) {
    const [group, code] = [Number(err.group), Number(err.rc)];
    return { ok: false, status: { group, rc: code, name: statusName(group, code), map } };
  }
  if (typeof rc === 'number' && rc !== 0) return { ok: false, status: { group: null, rc, name: statusName(null, rc), map } };
  return { ok: true, value: decodeResponse(command, map) };
}
