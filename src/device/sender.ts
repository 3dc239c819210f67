// Sends a file chunk by chunk, from where the device says, with as many chunks on their way as it has buffers for.

import { fail } from '../errors.js';
import type { Progress } from '../evaluate/index.js';
import { AtollStatus, encodePayload, FileStatus, fileCommands, Group, headerBytes, slotFiles } from '../protocol/index.js';
import { type Answer, type DeviceStatus, type PacketLimits, type SmpClient, signalOf, statusError } from './smp-client.js';

/** A file of the device, and what goes there from some offset on. */
export interface Transfer {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly from: number;
}

export interface SendOptions {
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** The first chunk erases the slot. */
const eraseTimeoutMs = 40_000;
const maxSetbacks = 5;

interface Chunk {
  readonly off: number;
  readonly end: number;
  readonly answer: Promise<Answer<typeof fileCommands.upload>>;
}

export class Sender {
  sentBytes = 0;
  requests = 0;
  private setbacks = 0;
  /** Where it last had to go back to: to do that again further on is progress. */
  private goneBackTo = -1;

  /** @param limits within what the device says that it takes: `buffers` chunks are under way at once */
  constructor(
    private readonly client: SmpClient,
    readonly limits: PacketLimits,
    private readonly options: SendOptions,
  ) {}

  /** @returns false where the device has lost the beginning of a compressed upload: there is a new one to make */
  async send(transfer: Transfer): Promise<boolean> {
    const { client, limits } = this;
    const before = client.window;
    client.window = limits.buffers;
    this.goneBackTo = -1;
    try {
      return await this.sendAll(transfer);
    } finally {
      client.window = before;
    }
  }

  private async sendAll(transfer: Transfer): Promise<boolean> {
    const total = transfer.bytes.byteLength;
    /** Up to where the device has it, as far as it has said. */
    let there = transfer.from;
    let next = there;
    const underWay: Chunk[] = [];
    while (there < total) {
      this.options.onProgress?.({ done: there, total, unit: 'bytes' });
      // The first chunk erases and truncates: nothing may overtake it.
      while (next < total && underWay.length < (there === 0 ? 1 : this.limits.buffers)) {
        const chunk = this.sendChunk(transfer, next);
        underWay.push(chunk);
        next = chunk.end;
      }
      const chunk = underWay.shift() as Chunk;
      const answer = await chunk.answer.catch(async (error: unknown) => {
        await settled(underWay);
        throw error;
      });
      const reported = answer.ok ? answer.value.off : expectedOffset(answer.status);
      // After a lost answer the device is further than this chunk's end.
      const onItsWay = reported >= chunk.end && reported <= total && (answer.ok ? reported === chunk.end : true);
      if (onItsWay) {
        there = Math.max(there, reported);
        continue;
      }
      const alone = underWay.length === 0;
      await settled(underWay);
      underWay.length = 0;
      const at = alone ? reported : await this.lengthOf(transfer.name, reported);
      const gained = at > this.goneBackTo && at <= total;
      this.goneBackTo = at;
      if (!gained && ++this.setbacks > maxSetbacks) {
        throw fail('DEVICE_ANSWER', { command: 'upload', reason: `the device asks for offset ${at} after ${chunk.off}, again and again` });
      }
      if (at === 0 && transfer.name === slotFiles.compressed) return false;
      there = at > total ? 0 : at;
      next = there;
    }
    await settled(underWay);
    this.options.onProgress?.({ done: total, total, unit: 'bytes' });
    return true;
  }

  private sendChunk({ name, bytes }: Transfer, off: number): Chunk {
    const total = bytes.byteLength;
    const data = bytes.subarray(off, off + chunkBytes(name, off, total, this.limits.maxPacketBytes));
    const request = off === 0 ? { off: 0, len: total, name, data } : { off, name, data };
    this.sentBytes += data.byteLength;
    this.requests += 1;
    const answer = this.client.ask(fileCommands.upload, request, { ...signalOf(this.options.signal), ...(off === 0 ? { timeoutMs: eraseTimeoutMs } : {}) });
    // It is awaited in its turn; until then its failure is nobody's.
    answer.catch(() => undefined);
    return { off, end: off + data.byteLength, answer };
  }

  /** With several chunks under way a refusal tells where the device was then, not where it is. */
  private async lengthOf(name: string, reported: number): Promise<number> {
    const status = await this.client.ask(fileCommands.status, { name }, signalOf(this.options.signal));
    return status.ok ? status.value.len : reported;
  }
}

/** How much data fits one packet beside header, keys and the length prefix of the data. */
export function chunkBytes(name: string, off: number, total: number, maxPacketBytes: number): number {
  const request = off === 0 ? { off: 0, len: total, name, data: new Uint8Array(0) } : { off, name, data: new Uint8Array(0) };
  const lengthPrefixGrowth = 2;
  return Math.max(1, maxPacketBytes - headerBytes - encodePayload(request).byteLength - lengthPrefixGrowth);
}

async function settled(chunks: readonly Chunk[]): Promise<void> {
  await Promise.allSettled(chunks.map(({ answer }) => answer));
}

/** Where to go on after a refused chunk: the length that the device reports. Anything else is an error. */
function expectedOffset(status: DeviceStatus): number {
  const { group, rc, map } = status;
  if (group === Group.file && rc === FileStatus.OFFSET_NOT_VALID && typeof map.len === 'number' && map.len >= 0) return map.len;
  const full = group === Group.atoll && rc === AtollStatus.IMAGE_TOO_LARGE;
  throw statusError(fileCommands.upload, status, full ? undefined : 'check that the device has room, and try again');
}
