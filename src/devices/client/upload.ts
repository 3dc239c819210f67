// Uploads a file through the file group, compressed if the device supports that. It resumes where an earlier upload of
// the same bytes ended, survives lost responses and resets, and verifies the file at the end (some devices report
// success when their volume is full).

import { sha256Hex } from '../../base/hashes.js';
import type { OnProgress } from '../../base/progress.js';
import { compressImage } from '../bundle/index.js';
import { fileCommands, slotFiles } from '../protocol/index.js';
import { packetBytes } from './chunk.js';
import { type FileProof, isBeginningOf, proveFile } from './file-proof.js';
import { type Bottleneck, Stopwatch, type UploadPlan } from './line-bound.js';
import { LineTiming } from './line-timing.js';
import { releaseFile, Sender, type SendOptions, type UploadTransfer } from './sender.js';
import { type SmpClient, signalOf } from './smp-client.js';

/** A file is read back to verify it only if the device has no hash command. */
export type UploadStep = 'upload' | 'verify';

/** Where a file is sent, and how. */
export interface UploadOptions extends SendOptions {
  readonly onProgress?: OnProgress<UploadStep>;
  /** Path on the device; the inactive slot by default. */
  readonly path?: string;
  /** Maximum number of file bytes in one packet. Default: as many as the device accepts. */
  readonly chunkBytes?: number;
  /** Maximum number of chunks in flight, up to the number of the device's buffers; 1 by default. */
  readonly window?: number;
  /** Called before the first chunk, with the predicted duration. */
  readonly onPlan?: (plan: UploadPlan) => void;
  /** Size of the blocks in which the image is sent compressed; null to send it as it is. */
  readonly blockBytes?: number | null;
}

/** What was sent, and how it was verified. */
export interface UploadResult {
  /** Size of the file. */
  readonly bytes: number;
  /** Bytes that were already on the device. */
  readonly resumedAt: number;
  /** Bytes sent for the rest, compressed or not, including repeated chunks. */
  readonly sentBytes: number;
  readonly compression: 'deflate' | null;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
  /** How the file on the device was verified. */
  readonly verifiedBy: FileProof;
  /** Size of the largest packet sent, including the header. */
  readonly packetBytes: number;
  /** Milliseconds. */
  readonly durationMs: number;
  /** File bytes per second, however they were sent; null if nothing was sent. */
  readonly bytesPerSecond: number | null;
  /** What took most of the time. */
  readonly bottleneck: Bottleneck | null;
}

/** Maximum number of attempts after the device has lost part of the upload. */
const maxRounds = 4;

/** @throws PUSH_HASH, PUSH_UNPROVEN, DEVICE_* */
export async function uploadImage(
  client: SmpClient,
  image: Uint8Array,
  options: UploadOptions = {},
): Promise<UploadResult> {
  const { path = slotFiles.inactive, signal } = options;
  const limits = await client.packetLimits(signal);
  const timing = await LineTiming.measure(client, signal);
  const stopwatch = new Stopwatch(client, timing);
  const asked =
    options.chunkBytes === undefined ? limits.maxPacketBytes : packetBytes(path, options.chunkBytes, image.byteLength);
  const maxLimits = {
    maxPacketBytes: Math.min(asked, limits.maxPacketBytes),
    buffers: Math.min(options.window ?? 1, limits.buffers),
  };
  const sender = new Sender(client, maxLimits, timing, options);
  await releaseFile(client, path, signal);
  let transfer: UploadTransfer;
  let resumedAt: number | null = null;
  let rounds = 0;
  let whole: boolean;
  do {
    const at = await resumePoint(client, path, image, signal);
    transfer = transferOf(path, image, at, path === slotFiles.inactive ? (options.blockBytes ?? null) : null);
    if (resumedAt === null && transfer.from < transfer.bytes.byteLength) {
      options.onPlan?.(stopwatch.plan(transfer.name, transfer.bytes.byteLength - transfer.from, sender.limits));
    }
    resumedAt ??= at;
    whole = (await sender.send(transfer)) && !(await isShort(client, path, image, signal));
  } while (!whole && ++rounds < maxRounds);
  const result = {
    bytes: image.byteLength,
    resumedAt,
    sentBytes: sender.sentBytes,
    packetBytes: sender.limits.maxPacketBytes,
    compression: transfer.name === slotFiles.compressed ? ('deflate' as const) : null,
    sha256: sha256Hex(image),
    ...stopwatch.end(sender, transfer.name, image.byteLength - resumedAt),
  };
  return { ...result, verifiedBy: await proveFile(client, path, image, options) };
}

/** Whether the device has less than was sent: a reset after the last chunk may have lost its end. */
async function isShort(
  client: SmpClient,
  name: string,
  image: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const status = await client.ask(fileCommands.status, { name }, signalOf(signal));
  return status.ok && status.value.len < image.byteLength;
}

/** The image from the device's offset on, in the shorter form. */
function transferOf(name: string, image: Uint8Array, from: number, blockBytes: number | null): UploadTransfer {
  const plain = { name, bytes: image, from };
  const left = image.byteLength - from;
  if (blockBytes === null || left === 0) return plain;
  const bytes = compressImage(image, blockBytes, Math.floor(from / blockBytes));
  return bytes.byteLength < left ? { name: slotFiles.compressed, bytes, from: 0 } : plain;
}

/** @returns how many bytes the device already holds, if they are the beginning of this image; otherwise 0 */
async function resumePoint(
  client: SmpClient,
  name: string,
  image: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<number> {
  const status = await client.ask(fileCommands.status, { name }, signalOf(signal));
  const length = status.ok ? status.value.len : 0;
  if (length === 0 || length > image.byteLength) return 0;
  return (await isBeginningOf(client, name, length, image, signal)) ? length : 0;
}
