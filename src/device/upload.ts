// Uploads a slot image through the file group: resumes where an earlier upload of the same bytes ended, survives lost
// answers and resets, and trusts nothing but the hash at the end (a full volume has been known to report success).

import { equalBytes, hex, sha256 } from '../bundle/index.js';
import { fail } from '../errors.js';
import type { Progress } from '../evaluate/index.js';
import { AtollStatus, encodePayload, FileStatus, fileCommands, Group, headerBytes, slotFiles } from '../protocol/index.js';
import type { DeviceStatus, SmpClient } from './smp-client.js';

export interface UploadOptions {
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
  /** Overrides what the device says it takes. */
  readonly maxPacketBytes?: number;
}

export interface UploadResult {
  readonly bytes: number;
  /** How many of them were there already. */
  readonly resumedAt: number;
  readonly sha256: string;
}

/** The first chunk erases the slot. */
const eraseTimeoutMs = 40_000;
const maxSetbacks = 5;
const name = slotFiles.inactive;

/** @throws PUSH_HASH, DEVICE_* */
export async function uploadImage(client: SmpClient, image: Uint8Array, options: UploadOptions = {}): Promise<UploadResult> {
  const maxPacket = options.maxPacketBytes ?? (await client.maxPacketBytes(options.signal));
  const resumedAt = await resumePoint(client, image, options.signal);
  let at = resumedAt;
  let setbacks = 0;
  while (at < image.byteLength) {
    options.onProgress?.({ done: at, total: image.byteLength });
    const chunk = image.subarray(at, at + chunkLength(maxPacket, at, image.byteLength));
    const request = at === 0 ? { off: 0, len: image.byteLength, name, data: chunk } : { off: at, name, data: chunk };
    const answer = await client.ask(fileCommands.upload, request, { ...signalOf(options), ...(at === 0 ? { timeoutMs: eraseTimeoutMs } : {}) });
    const next = answer.ok ? answer.value.off : expectedOffset(answer.status);
    // Going back is right after a reset that lost data; again and again it means that the device cannot store the image.
    if ((next <= at || next > image.byteLength) && ++setbacks > maxSetbacks) {
      throw fail('DEVICE_ANSWER', { command: 'upload', reason: `the device asks for offset ${next} after ${at}, again and again` });
    }
    at = next > image.byteLength ? 0 : next;
  }
  options.onProgress?.({ done: at, total: image.byteLength });
  const expected = sha256(image);
  const { output } = await client.request(fileCommands.hash, { name, type: 'sha256' }, signalOf(options));
  const actual = output instanceof Uint8Array ? output : new Uint8Array(0);
  if (!equalBytes(actual, expected)) throw fail('PUSH_HASH', { actual: hex(actual), expected: hex(expected) });
  return { bytes: image.byteLength, resumedAt, sha256: hex(expected) };
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
  const status = await client.ask(fileCommands.status, { name }, signalOf({ signal }));
  const length = status.ok ? status.value.len : 0;
  if (length === 0 || length > image.byteLength) return 0;
  const hash = await client.ask(fileCommands.hash, { name, type: 'sha256', off: 0, len: length }, signalOf({ signal }));
  const same = hash.ok && hash.value.output instanceof Uint8Array && equalBytes(hash.value.output, sha256(image.subarray(0, length)));
  return same ? length : 0;
}

/** How much data fits one packet beside header, keys and the length prefix of the data. */
function chunkLength(maxPacket: number, at: number, total: number): number {
  const request = at === 0 ? { off: 0, len: total, name, data: new Uint8Array(0) } : { off: at, name, data: new Uint8Array(0) };
  const lengthPrefixGrowth = 2;
  return Math.max(1, maxPacket - headerBytes - encodePayload(request).byteLength - lengthPrefixGrowth);
}

function signalOf({ signal }: { readonly signal?: AbortSignal | undefined }): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
