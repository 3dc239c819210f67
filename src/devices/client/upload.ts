// Uploads a file through the file group, compressed where the device takes that: resumes where an earlier upload of the
// same bytes ended, survives lost answers and resets, and verifies the file at the end (some devices report success
// when their volume is full).

import { sha256Hex } from '../../base/hashes.js';
import { compressImage } from '../bundle/index.js';
import { fileCommands, slotFiles } from '../protocol/index.js';
import { packetBytes } from './chunk.js';
import { type FileProof, isBeginningOf, proveFile } from './file-proof.js';
import { type Bottleneck, Stopwatch, type UploadPlan } from './line-bound.js';
import { LineTiming } from './line-timing.js';
import { releaseFile, Sender, type SendOptions, type UploadTransfer } from './sender.js';
import { type SmpClient, signalOf } from './smp-client.js';

export interface UploadOptions extends SendOptions {
  /** Where the file goes: the inactive slot unless given. */
  readonly path?: string;
  /** Maximum number of file bytes in one packet. Default: as many as the device accepts. */
  readonly chunkBytes?: number;
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
  /** How the file on the device was verified. */
  readonly verifiedBy: FileProof;
  /** Size of the largest packet sent, including the header. */
  readonly packetBytes: number;
  readonly durationMs: number;
  /** Of the file, however it travelled; null where nothing was sent. */
  readonly bytesPerSecond: number | null;
  /** What took most of the time. */
  readonly bottleneck: Bottleneck | null;
}

/** How often an upload goes on that a device has lost a part of. */
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
  const told = {
    maxPacketBytes: Math.min(asked, limits.maxPacketBytes),
    buffers: Math.min(options.window ?? 1, limits.buffers),
  };
  const sender = new Sender(client, told, timing, options);
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

/** Whether the device has less than was sent: a reset after the last chunk may have lost the end of it. */
async function isShort(
  client: SmpClient,
  name: string,
  image: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const status = await client.ask(fileCommands.status, { name }, signalOf(signal));
  return status.ok && status.value.len < image.byteLength;
}

/** The image from where the device has it, in the form that is shorter. */
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
