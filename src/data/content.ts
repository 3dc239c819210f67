// Detects a file's kind by its content, so that a recording or a table is not read as raw tensors.

import { open } from 'node:fs/promises';
import { fail, reasonOf } from '../base/errors.js';

export type ContentKind = 'array' | 'image' | 'recording' | 'table' | 'archive';

const headBytes = 512;

const starts = (head: Uint8Array, text: string, at = 0): boolean =>
  Buffer.from(head.subarray(at, at + text.length)).toString('latin1') === text;

/** @returns null for a file that may hold raw tensors */
export function contentKind(head: Uint8Array, file: string): ContentKind | null {
  if (starts(head, '\x93NUMPY')) return 'array';
  if (starts(head, 'PK\x03\x04')) return 'archive';
  if (starts(head, 'RIFF') && starts(head, 'WAVE', 8)) return 'recording';
  if (['fLaC', 'OggS', 'ID3'].some((magic) => starts(head, magic))) return 'recording';
  if (
    starts(head, '\x89PNG\r\n\x1a\n') ||
    starts(head, '\xff\xd8\xff') ||
    starts(head, 'GIF8') ||
    (starts(head, 'RIFF') && starts(head, 'WEBP', 8))
  )
    return 'image';
  return /\.(csv|tsv|txt|json)$/i.test(file) && isText(head) ? 'table' : null;
}

function isText(head: Uint8Array): boolean {
  return head.length > 0 && head.every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13);
}

const refusals: Readonly<Record<ContentKind, string>> = {
  array: 'is a NumPy array: rename it to .npy',
  archive: 'is a zip archive: rename it to .npz if it contains NumPy arrays, otherwise unpack it',
  recording: 'is an audio recording, which is not supported yet: convert it to an .npy array of samples',
  image: 'is an image: describe how to read it under images (or use images: {})',
  table: 'is a text file, which is not supported yet: convert its numbers to an .npy array',
};

/** @throws DATASET_FILE_KIND if a file that should hold raw tensors is of another kind, FILE_NOT_READABLE */
export async function requireRaw(file: string): Promise<void> {
  const kind = contentKind(await headOf(file), file);
  if (kind !== null) throw fail('DATASET_FILE_KIND', { path: file, reason: refusals[kind] });
}

async function headOf(file: string): Promise<Uint8Array> {
  try {
    const handle = await open(file);
    try {
      const head = new Uint8Array(headBytes);
      const { bytesRead } = await handle.read(head, 0, headBytes, 0);
      return head.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fail('FILE_NOT_READABLE', { path: file, reason: reasonOf(error) }, error);
  }
}
