// Uploads a file through the file group, compressed where the device takes that: resumes where an earlier upload of the same bytes ended,
// survives lost answers and resets, and trusts nothing but the hash at the end (a full volume has been known to report success).

import { crc32 } from 'node:zlib';
import { compressImage, equalBytes, hex, sha256 } from '../bundle/index.js';
import { fail } from '../errors.js';
import { fileCommands, slotFiles } from '../protocol/index.js';
import { type Bottleneck, Stopwatch, type UploadPlan } from './line-bound.js';
import { Sender, type SendOptions, type Transfer } from './sender.js';
import { type SmpClient, signalOf } from './smp-client.js';

export interface UploadOptions extends SendOptions {
  /** Where the file goes: the inactive slot unless given. */
  readonly path?: string;
  /** Overrides what the device says it takes. */
  readonly maxPacketBytes?: number;
  /** Chunks under way at once, up to as many as the device has buffers for; 1 unless given. */
  readonly window?: number;
  /** Called before the first chunk goes, with what it should take. */
  readonly onPlan?: (plan: UploadPlan) => void;
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
  /** What the device was asked to prove the file with; `length` where it has no hash command. */
  readonly verifiedBy: 'sha256' | 'crc32' | 'length';
  readonly durationMs: number;
  /** Of the file, however it travelled; null where nothing was sent. */
  readonly bytesPerSecond: number | null;
  /** What took most of the time. */
  readonly bottleneck: Bottleneck | null;
}

/** How often an upload goes on that a device has lost a part of. */
const mostRounds = 4;

/** @throws PUSH_HASH, DEVICE_* */
export async function uploadImage(client: SmpClient, image: Uint8Array, options: UploadOptions = {}): Promise<UploadResult> {
  const path = options.path ?? slotFiles.inactive;
  const limits = await client.packetLimits(options.signal);
  const stopwatch = await Stopwatch.start(client, options.signal);
  const sender = new Sender(
    client,
    { maxPacketBytes: options.maxPacketBytes ?? limits.maxPacketBytes, buffers: Math.min(options.window ?? 1, limits.buffers) },
    options,
  );
  let transfer: Transfer;
  let resumedAt: number | null = null;
  let rounds = 0;
  let whole: boolean;
  do {
    const at = await resumePoint(client, path, image, options.signal);
    transfer = transferOf(path, image, at, path === slotFiles.inactive ? (options.blockBytes ?? null) : null);
    if (resumedAt === null && transfer.from < transfer.bytes.byteLength) {
      options.onPlan?.(stopwatch.plan(transfer.name, transfer.bytes.byteLength - transfer.from, sender.limits));
    }
    resumedAt ??= at;
    whole = (await sender.send(transfer)) && !(await isShort(client, path, image, options.signal));
  } while (!whole && ++rounds < mostRounds);
  const timing = stopwatch.end(sender, transfer.name, image.byteLength - resumedAt);
  const verifiedBy = await verify(client, path, image, options.signal);
  const compression = transfer.name === slotFiles.compressed ? 'deflate' : null;
  return { bytes: image.byteLength, resumedAt, sentBytes: sender.sentBytes, compression, sha256: hex(sha256(image)), verifiedBy, ...timing };
}

/** Whether the device has less than was sent: a reset after the last chunk may have lost the end of it. */
async function isShort(client: SmpClient, name: string, image: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
  const status = await client.ask(fileCommands.status, { name }, signalOf(signal));
  return status.ok && status.value.len < image.byteLength;
}

/** The image from where the device has it, in the form that is shorter. */
function transferOf(name: string, image: Uint8Array, from: number, blockBytes: number | null): Transfer {
  const plain = { name, bytes: image, from };
  const left = image.byteLength - from;
  if (blockBytes === null || left === 0) return plain;
  const bytes = compressImage(image, blockBytes, Math.floor(from / blockBytes));
  return bytes.byteLength < left ? { name: slotFiles.compressed, bytes, from: 0 } : plain;
}

/** The length of what the device holds, if that is the beginning of this image; else 0. */
async function resumePoint(client: SmpClient, name: string, image: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
  const status = await client.ask(fileCommands.status, { name }, signalOf(signal));
  const length = status.ok ? status.value.len : 0;
  if (length === 0 || length > image.byteLength) return 0;
  const found = await hashOf(client, name, length, signal);
  return found?.equals(image.subarray(0, length)) === true ? length : 0;
}

/** @throws PUSH_HASH */
async function verify(client: SmpClient, name: string, image: Uint8Array, signal: AbortSignal | undefined): Promise<UploadResult['verifiedBy']> {
  const found = await hashOf(client, name, image.byteLength, signal);
  if (found !== null && found.bytes === image.byteLength) {
    if (!found.equals(image)) throw fail('PUSH_HASH', { actual: found.text, expected: found.expected(image) });
    return found.type;
  }
  const status = await client.ask(fileCommands.status, { name }, signalOf(signal));
  const length = found?.bytes ?? (status.ok ? status.value.len : null);
  if (length !== image.byteLength) throw fail('PUSH_HASH', { actual: `(${length ?? 'unknown number of'} bytes)`, expected: hex(sha256(image)) });
  return 'length';
}

interface FileHash {
  readonly type: 'sha256' | 'crc32';
  /** Of the file, as far as it was hashed. */
  readonly bytes: number;
  readonly text: string;
  readonly expected: (file: Uint8Array) => string;
  readonly equals: (file: Uint8Array) => boolean;
}

/** The best hash that the device offers; null where it offers none. */
async function hashOf(client: SmpClient, name: string, length: number, signal: AbortSignal | undefined): Promise<FileHash | null> {
  for (const type of ['sha256', 'crc32'] as const) {
    const hash = await client.ask(fileCommands.hash, { name, type, off: 0, len: length }, signalOf(signal));
    if (!hash.ok) continue;
    const { output, len } = hash.value;
    const text = output instanceof Uint8Array ? hex(output) : output.toString(16);
    const expected = (file: Uint8Array): string => (type === 'sha256' ? hex(sha256(file)) : crc32(file).toString(16));
    const equals = (file: Uint8Array): boolean => (output instanceof Uint8Array ? equalBytes(output, sha256(file)) : output === crc32(file));
    return { type, bytes: len, text, expected, equals };
  }
  return null;
}
