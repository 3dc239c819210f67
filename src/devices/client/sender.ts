// Sends a file chunk by chunk from the offset that the device reports, with as many chunks in flight as it has buffers.
// If a chunk stays unanswered, an echo distinguishes a busy device from a lost packet, and echoes of the same size show
// whether smaller packets are needed.

import { setTimeout as delay } from 'node:timers/promises';
import { defined } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { OnProgress } from '../../base/progress.js';
import { FileStatus, fileCommands, Group, osCommands, slotFiles } from '../protocol/index.js';
import { BurstLimit } from './burst-limit.js';
import { chunkBytes } from './chunk.js';
import { FlightWindow } from './flight-window.js';
import type { LineTiming } from './line-timing.js';
import {
  type Answer,
  type DeviceStatus,
  type PacketLimits,
  type SmpClient,
  signalOf,
  statusError,
} from './smp-client.js';

/** A file on the device, and the bytes to send from an offset on. */
export interface UploadTransfer {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly from: number;
}

/** How chunks of a file are sent. */
export interface SendOptions {
  readonly onProgress?: OnProgress<'upload'>;
  readonly signal?: AbortSignal;
}

/** Time to wait for the answer to the first chunk, for which a device may erase a whole slot. */
const eraseTimeoutMs = 40_000;
const chunkTimeoutMs = 20_000;
/** The timeout doubles with each echo; all attempts together wait about as long as for a chunk. */
const echoAttempts = 7;
const maxSetbacks = 5;
const maxLossesInARow = 8;
/** An offset beyond the end of any file, which no chunk can follow. */
const beyondAnyFile = 2 ** 31 - 1;

type ChunkAnswer = Answer<typeof fileCommands.upload>;

interface Chunk {
  readonly off: number;
  readonly end: number;
  readonly packetBytes: number;
  readonly answer: Promise<ChunkAnswer>;
  /** Stops waiting for the answer. */
  readonly abandon: () => void;
}

export class Sender {
  sentBytes = 0;
  requests = 0;
  private setbacks = 0;
  /** Offset of the last setback. A setback at a larger offset counts as progress. */
  private goneBackTo = -1;
  private lossesInARow = 0;
  /** The longest time that an answer has taken. Silence up to this time means a busy device, not a lost packet. */
  private slowestMs = 0;
  private readonly burst: BurstLimit;
  private readonly flight: FlightWindow;

  /**
   * @param maxLimits the limits to keep to, at most those that the device reports; `buffers` chunks are in flight at
   * once
   */
  constructor(
    private readonly client: SmpClient,
    private readonly maxLimits: PacketLimits,
    private readonly timing: LineTiming,
    private readonly options: SendOptions,
  ) {
    this.burst = new BurstLimit(client, timing, maxLimits.maxPacketBytes);
    this.flight = new FlightWindow(maxLimits.buffers);
  }

  get limits(): PacketLimits {
    return { buffers: this.flight.size, maxPacketBytes: this.burst.maxPacketBytes };
  }

  /** @returns false if the device has lost the beginning of a compressed upload, which must be encoded again */
  async send(transfer: UploadTransfer): Promise<boolean> {
    const { client, maxLimits } = this;
    const before = client.window;
    // One echo may be in flight in addition to the chunks.
    client.window = maxLimits.buffers + 1;
    this.goneBackTo = -1;
    try {
      return await this.sendAll(transfer);
    } finally {
      client.window = before;
    }
  }

  private async sendAll(transfer: UploadTransfer): Promise<boolean> {
    const total = transfer.bytes.byteLength;
    /** How many bytes the device has confirmed. */
    let there = transfer.from;
    let next = there;
    /** End of all data sent so far. If the device reports a larger offset, another client wrote to the file. */
    let sentUpTo = there;
    const inFlight: Chunk[] = [];
    /** The first unanswered chunk. Answers to later chunks tell whether the device received it. */
    let lost: Chunk | null = null;
    let countBeforeLoss = 1;
    while (there < total) {
      this.options.onProgress?.({ step: 'upload', done: there, total, unit: 'bytes' });
      // The first chunk erases and truncates: no other may overtake it.
      while (lost === null && next < total && inFlight.length < (there === 0 ? 1 : this.flight.size)) {
        const chunk = this.sendChunk(transfer, next);
        inFlight.push(chunk);
        next = chunk.end;
        sentUpTo = Math.max(sentUpTo, next);
      }
      if (lost === null) countBeforeLoss = inFlight.length;
      const chunk = defined(inFlight.shift());
      const answer = await this.answerTo(chunk).catch((error: unknown) => {
        for (const other of inFlight) other.abandon();
        throw error;
      });
      if (answer === null) {
        lost ??= chunk;
        if (inFlight.length > 0) continue;
        await this.afterLoss(transfer.name, lost, countBeforeLoss);
        next = there;
        lost = null;
        continue;
      }
      lost = null;
      this.lossesInARow = 0;
      this.burst.onDelivered();
      this.flight.onDelivered();
      const reported = answer.ok ? answer.value.off : expectedOffset(answer.status);
      // After a lost answer the device is further than this chunk's end.
      const follows = answer.ok ? reported === chunk.end : reported >= chunk.end && reported <= sentUpTo;
      if (follows) {
        there = Math.max(there, reported);
        next = Math.max(next, there);
        continue;
      }
      const alone = inFlight.length === 0;
      // A chunk before this one was lost, so at least two were in flight.
      if (reported < chunk.off) this.flight.afterLoss(Math.max(2, countBeforeLoss));
      // Wait for the chunks in flight: none may reach the device after those that are sent next.
      for (const other of inFlight.splice(0)) await this.answerTo(other);
      const at = alone ? reported : await this.lengthOf(transfer.name, reported);
      const gained = at > this.goneBackTo && at <= sentUpTo;
      this.goneBackTo = at;
      if (!gained && ++this.setbacks > maxSetbacks) {
        throw fail('DEVICE_ANSWER', {
          command: 'upload',
          reason: `the device repeatedly asks for offset ${at} after ${chunk.off}`,
        });
      }
      if (at === 0 && transfer.name === slotFiles.compressed) return false;
      if (at > sentUpTo) await releaseFile(this.client, transfer.name, this.options.signal);
      there = at > sentUpTo ? 0 : at;
      next = there;
    }
    for (const other of inFlight) await this.answerTo(other);
    this.options.onProgress?.({ step: 'upload', done: total, total, unit: 'bytes' });
    return true;
  }

  private sendChunk({ name, bytes }: UploadTransfer, off: number): Chunk {
    const total = bytes.byteLength;
    const { maxPacketBytes } = this.limits;
    const data = bytes.subarray(off, off + chunkBytes(name, off, total, maxPacketBytes));
    const request = off === 0 ? { off: 0, len: total, name, data } : { off, name, data };
    this.sentBytes += data.byteLength;
    this.requests += 1;
    const abandoned = new AbortController();
    const { signal } = this.options;
    const answer = this.client.ask(fileCommands.upload, request, {
      signal: signal === undefined ? abandoned.signal : AbortSignal.any([signal, abandoned.signal]),
      timeoutMs: off === 0 && isSlot(name) ? eraseTimeoutMs : chunkTimeoutMs,
      attempts: 1,
    });
    // Awaited later; without a handler until then, a rejection would end the process.
    answer.catch(() => undefined);
    return { off, end: off + data.byteLength, packetBytes: maxPacketBytes, answer, abandon: () => abandoned.abort() };
  }

  /**
   * @returns null if the device answers an echo but not the chunk sent before it: the chunk or its answer was lost.
   * @throws DEVICE_TIMEOUT
   */
  private async answerTo(chunk: Chunk): Promise<ChunkAnswer | null> {
    const { client, timing } = this;
    const timeoutMs = Math.max(timing.timeoutMs(chunk.packetBytes), 2 * this.slowestMs);
    const begin = performance.now();
    const inTime = await within(chunk.answer, timeoutMs);
    if (inTime !== null) {
      this.slowestMs = Math.max(this.slowestMs, performance.now() - begin);
      return inTime;
    }
    const over = new AbortController();
    try {
      const echoed = client.ask(osCommands.echo, { d: '' }, { signal: over.signal, timeoutMs, attempts: echoAttempts });
      const answer = await Promise.race([
        chunk.answer,
        echoed.then(
          () => null,
          () => chunk.answer,
        ),
      ]);
      // The device was busy for this long; otherwise it would have answered the echo at once. Wait as long next time.
      const tookMs = performance.now() - begin;
      if (tookMs > 2 * timeoutMs) this.slowestMs = Math.max(this.slowestMs, tookMs);
      if (answer === null) chunk.abandon();
      return answer;
    } finally {
      over.abort();
    }
  }

  /** @throws DEVICE_ANSWER after too many losses in a row */
  private async afterLoss(name: string, chunk: Chunk, inFlight: number): Promise<void> {
    const { signal } = this.options;
    if (++this.lossesInARow > maxLossesInARow) {
      const reason =
        `the device answers other requests, but none of ${this.lossesInARow} chunks at offset ${chunk.off}, the ` +
        `last in a packet of ${chunk.packetBytes} bytes`;
      throw fail('DEVICE_ANSWER', { command: 'upload', reason });
    }
    if (!this.flight.afterLoss(inFlight)) await this.burst.afterLoss(chunk.packetBytes, signal);
    // For a file that is already open, the device ignores the offset 0 of the chunk.
    if (chunk.off === 0 && !isSlot(name)) await releaseFile(this.client, name, signal);
  }

  /** With several chunks in flight, a refused chunk reports an offset that may be outdated: ask again. */
  private async lengthOf(name: string, reported: number): Promise<number> {
    const status = await this.client.ask(fileCommands.status, { name }, signalOf(this.options.signal));
    return status.ok ? status.value.len : reported;
  }
}

/** In Atoll's firmware an upload to a slot at offset 0 always starts over. */
function isSlot(name: string): boolean {
  return Object.values<string>(slotFiles).includes(name);
}

/**
 * Zephyr's server keeps a file open between requests: an interrupted upload that begins again within its idle time
 * would be appended to what is there (fs_mgmt.c keeps its offset). The command that closes it is newer than the group;
 * without it, a chunk that follows on nothing has the same effect.
 */
export async function releaseFile(client: SmpClient, name: string, signal: AbortSignal | undefined): Promise<void> {
  if (isSlot(name)) return;
  const closed = await client.ask(fileCommands.close, {}, signalOf(signal));
  if (!closed.ok)
    await client.ask(fileCommands.upload, { off: beyondAnyFile, name, data: new Uint8Array(0) }, signalOf(signal));
}

/** @returns null if it takes longer */
async function within<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value | null> {
  const timer = new AbortController();
  try {
    return await Promise.race([promise, delay(timeoutMs, null, { signal: timer.signal }).catch(() => null)]);
  } finally {
    timer.abort();
  }
}

/** Where to go on after a refused chunk: the length that the device reports. Anything else is an error. */
function expectedOffset(status: DeviceStatus): number {
  const { group, rc, map } = status;
  if (group === Group.file && rc === FileStatus.OFFSET_NOT_VALID && typeof map.len === 'number' && map.len >= 0)
    return map.len;
  throw statusError(fileCommands.upload, status);
}
