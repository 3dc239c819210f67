// Verifies a file on a device: by its hash, or by reading it back if the device has no hash command (Zephyr's default).

import { crc32 } from 'node:zlib';
import { fail } from '../../base/errors.js';
import { equalBytes, hex, sha256, sha256Hex } from '../../base/hashes.js';
import type { OnProgress } from '../../base/progress.js';
import { fileCommands } from '../protocol/index.js';
import { type SmpClient, signalOf } from './smp-client.js';

/** How a stored file was verified: by a hash that the device computes, or by reading it back. */
export type FileProof = 'sha256' | 'crc32' | 'read-back';

interface ProofOptions {
  readonly onProgress?: OnProgress<'verify'>;
  readonly signal?: AbortSignal;
}

/** @throws PUSH_HASH if the content differs, PUSH_UNPROVEN if the device can neither hash the file nor return it */
export async function proveFile(
  client: SmpClient,
  name: string,
  expected: Uint8Array,
  options: ProofOptions = {},
): Promise<FileProof> {
  const found = await hashOf(client, name, undefined, options.signal);
  if (found === null) return readBack(client, name, expected, options);
  if (found.bytes !== expected.byteLength)
    throw fail('PUSH_HASH', { actual: `${found.bytes} bytes`, expected: `${expected.byteLength}` });
  if (!found.equals(expected))
    throw fail('PUSH_HASH', { actual: `${found.type} ${found.text}`, expected: found.expected(expected) });
  return found.type;
}

/**
 * Whether the device's file is the beginning of these bytes; false if only reading it back could tell, which takes as
 * long as sending it.
 */
export async function isBeginningOf(
  client: SmpClient,
  name: string,
  length: number,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<boolean> {
  const found = await hashOf(client, name, length, signal);
  return found !== null && found.bytes === length && found.equals(bytes.subarray(0, length));
}

interface FileHash {
  readonly type: 'sha256' | 'crc32';
  /** Number of bytes that the hash covers. */
  readonly bytes: number;
  readonly text: string;
  readonly expected: (file: Uint8Array) => string;
  readonly equals: (file: Uint8Array) => boolean;
}

/**
 * The strongest hash that the device offers, over the given number of bytes or over the whole file; null if it offers
 * none.
 */
async function hashOf(
  client: SmpClient,
  name: string,
  length: number | undefined,
  signal: AbortSignal | undefined,
): Promise<FileHash | null> {
  for (const type of ['sha256', 'crc32'] as const) {
    const hash = await client.ask(
      fileCommands.hash,
      { name, type, off: 0, ...(length === undefined ? {} : { len: length }) },
      signalOf(signal),
    );
    if (!hash.ok || hash.value.type !== type) continue;
    const { output, len } = hash.value;
    const text = output instanceof Uint8Array ? hex(output) : output.toString(16);
    const expected = (file: Uint8Array): string => (type === 'sha256' ? sha256Hex(file) : crc32(file).toString(16));
    const equals = (file: Uint8Array): boolean =>
      output instanceof Uint8Array ? equalBytes(output, sha256(file)) : output === crc32(file);
    return { type, bytes: len, text, expected, equals };
  }
  return null;
}

/** Reads the file chunk by chunk and compares it, up to the first difference. */
async function readBack(
  client: SmpClient,
  name: string,
  expected: Uint8Array,
  { onProgress, signal }: ProofOptions,
): Promise<'read-back'> {
  const total = expected.byteLength;
  let off = 0;
  do {
    onProgress?.({ step: 'verify', done: off, total, unit: 'bytes' });
    const answer = await client.ask(fileCommands.download, { name, off }, signalOf(signal));
    if (!answer.ok)
      throw fail('PUSH_UNPROVEN', {
        path: name,
        reason: `it has no hash command, and reading the file back fails with ${answer.status.name}`,
      });
    const { data, len, off: at } = answer.value;
    if (off === 0 && len !== undefined && len !== total)
      throw fail('PUSH_HASH', { actual: `${len} bytes`, expected: `${total}` });
    const differs =
      at !== off ||
      data.byteLength === 0 ||
      off + data.byteLength > total ||
      !equalBytes(data, expected.subarray(off, off + data.byteLength));
    if (differs && total > 0)
      throw fail('PUSH_HASH', { actual: `different bytes from offset ${off} on`, expected: `${total} bytes as sent` });
    off += data.byteLength;
  } while (off < total);
  onProgress?.({ step: 'verify', done: total, total, unit: 'bytes' });
  return 'read-back';
}
