// Uploads a slot image through the file group, compressed where the device takes that: resumes where an earlier upload of the same bytes ended,
// survives lost answers and resets, and trusts nothing but the hash at the end (a full volume has been known to report success).

import { compressImage, equalBytes, hex, sha256 } from '../bundle/index.js';
import { fail } from '../errors.js';
import type { Progress } from '../evaluate/index.js';
import { AtollStatus, encodePayload, FileStatus, fileCommands, Group, headerBytes, slotFiles } from '../protocol/index.js';
import type { DeviceStatus, SmpClient } from './smp-client.js';

export interface UploadOptions {
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
  /** Overrides what the device says it takes. */
  readonly maxPacketBytes?: number;
  /** Length of the blocks in which the image is sent compressed; null to send it as it is. */
  readonly blockBytes?: number | null;
}

export interface UploadResult {
  readonly bytes: number;
  /** How many of them were there already. */
  readonly resumedAt: number;
  /** What was sent of the rest, compressed or not, repeated chunks included. */
  readonly sentBytes: number;
  readonly compression: 'deflate' | null;
  readonly sha256: string;
}

/** The first chunk erases the slot. */
const eraseTimeoutMs = 40_000;
const maxSetbacks = 5;

/** @throws PUSH_HASH, DEVICE_* */
export async function uploadImage(client: SmpClient, image: Uint8Array, options: UploadOptions = {}): Promise<UploadResult> {
  const sender = new Sender(client, options.maxPacketBytes ?? (await client.maxPacketBytes(options.signal)), options);
  let transfer: Transfer;
  let resumedAt: number | null = null;
  do {
    const at = await resumePoint(client, image, options.signal);
    transfer = transferOf(image, at, options.blockBytes ?? null);
    resumedAt ??= at;
  } while (!(await sender.send(transfer)));
  const expected = sha256(image);
  const { output } = await client.request(fileCommands.hash, { name: slotFiles.inactive, type: 'sha256' }, signalOf(options));
  const actual = output instanceof Uint8Array ? output : new Uint8Array(0);
  if (!equalBytes(actual, expected)) throw fail('PUSH_HASH', { actual: hex(actual), expected: hex(expected) });
  const compression = transfer.name === slotFiles.compressed ? 'deflate' : null;
  return { bytes: image.byteLength, resumedAt, sentBytes: sender.sentBytes, compression, sha256: hex(expected) };
}

/** A file of the device, and what goes there from some offset on. */
interface Transfer {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly from: number;
}

/** The image from where the device has it, in the form that is shorter. */
function transferOf(image: Uint8Array, from: number, blockBytes: number | null): Transfer {
  const plain = { name: slotFiles.inactive, bytes: image, from };
  const left = image.byteLength - from;
  if (blockBytes === null || left === 0) return plain;
  const bytes = compressImage(image, blockBytes, Math.floor(from / blockBytes));
  return bytes.byteLength < left ? { name: slotFiles.compressed, bytes, from: 0 } : plain;
}

/** Sends files chunk by chunk, from where the device says. */
class Sender {
  sentBytes = 0;
  private setbacks = 0;

  constructor(
    private readonly client: SmpClient,
    private readonly maxPacket: number,
    private readonly options: UploadOptions,
  ) {}

  /** @returns false where the device has lost the beginning of a compressed upload: there is a new one to make */
  async send({ name, bytes, from }: Transfer): Promise<boolean> {
    const { client, options } = this;
    const total = bytes.byteLength;
    let at = from;
    while (at < total) {
      options.onProgress?.({ done: at, total });
      const chunk = bytes.subarray(at, at + this.chunkLength(name, at, total));
      const request = at === 0 ? { off: 0, len: total, name, data: chunk } : { off: at, name, data: chunk };
      this.sentBytes += chunk.byteLength;
      const answer = await client.ask(fileCommands.upload, request, { ...signalOf(options), ...(at === 0 ? { timeoutMs: eraseTimeoutMs } : {}) });
      const next = answer.ok ? answer.value.off : expectedOffset(answer.status);
      // Going back is right after a reset that lost data; again and again it means that the device cannot store the image.
      if ((next <= at || next > total) && ++this.setbacks > maxSetbacks) {
        throw fail('DEVICE_ANSWER', { command: 'upload', reason: `the device asks for offset ${next} after ${at}, again and again` });
      }
      if (next === 0 && name === slotFiles.compressed) return false;
      at = next > total ? 0 : next;
    }
    options.onProgress?.({ done: total, total });
    return true;
  }

  /** How much data fits one packet beside header, keys and the length prefix of the data. */
  private chunkLength(name: string, at: number, total: number): number {
    const request = at === 0 ? { off: 0, len: total, name, data: new Uint8Array(0) } : { off: at, name, data: new Uint8Array(0) };
    const lengthPrefixGrowth = 2;
    return Math.max(1, this.maxPacket - headerBytes - encodePayload(request).byteLength - lengthPrefixGrowth);
  }
}

/** Where to go on after a refused chunk: the length that the device reports. Anything else is an error. */
function expectedOffset(status: DeviceStatus): number {
  const { group, rc, map } = status;
  if (group === Group.file && rc === FileStatus.OFFSET_NOT_VALID && typeof map.len === 'number' && map.len >= 0) return map.len;
  const detail = typeof map.detail === 'string' ? `: ${map.detail}` : '';
  const full = group === Group.atoll && rc === AtollStatus.IMAGE_TOO_LARGE;
  const advice = full ? 'use a smaller model, or a board with more flash' : 'check that the device has room, and try again';
  throw fail('DEVICE_ERROR', { command: 'upload', name: status.name, group: group ?? 'SMP', rc, detail, advice });
}

/** The length of what the device holds, if that is the beginning of this image; else 0. */
async function resumePoint(client: SmpClient, image: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
  const status = await client.ask(fileCommands.status, { name: slotFiles.inactive }, signalOf({ signal }));
  const length = status.ok ? status.value.len : 0;
  if (length === 0 || length > image.byteLength) return 0;
  const hash = await client.ask(fileCommands.hash, { name: slotFiles.inactive, type: 'sha256', off: 0, len: length }, signalOf({ signal }));
  const same = hash.ok && hash.value.output instanceof Uint8Array && equalBytes(hash.value.output, sha256(image.subarray(0, length)));
  return same ? length : 0;
}

function signalOf({ signal }: { readonly signal?: AbortSignal | undefined }): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
