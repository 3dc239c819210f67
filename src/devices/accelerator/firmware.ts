// The firmware of the accelerator. It is Google's and not ours to ship: it comes from a file of the user, or from an
// installed libedgetpu, which contains it as a constant.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fail, reasonOf } from '../../base/errors.js';

/**
 * apex_latest_single_ep.bin of libedgetpu's last releases: its length, its first bytes (a jump of the 8051), its
 * SHA-256.
 */
const known = {
  bytes: 10_783,
  head: Buffer.from('021e570214fac22f', 'hex'),
  sha256: '3b07311b174b81fd14fd2c887f40d646c0ebf2f140cc5ee5cf8befa0f3e3dc7f',
} as const;

/** Code memory of the controller: an 8051 addresses at most 64 KiB. */
const maxBytes = 65_536;
const longJump = 0x02;

export const firmwareVariable = 'ATOLL_EDGETPU_FIRMWARE';

/** Where Debian, Fedora and Homebrew install libedgetpu. */
const libraries = [
  '/usr/lib/x86_64-linux-gnu/libedgetpu.so.1',
  '/usr/lib/aarch64-linux-gnu/libedgetpu.so.1',
  '/usr/lib/arm-linux-gnueabihf/libedgetpu.so.1',
  '/usr/lib64/libedgetpu.so.1',
  '/usr/local/lib/libedgetpu.so.1',
  '/usr/local/lib/libedgetpu.1.dylib',
  '/opt/homebrew/lib/libedgetpu.1.dylib',
];

export interface Firmware {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface FirmwareSearch {
  /** A path given by the user. */
  readonly path?: string | undefined;
  readonly libraries?: readonly string[];
}

/**
 * The firmware from the given path, from the environment variable, or from an installed libedgetpu.
 * @returns null if there is none
 * @throws EDGETPU_FIRMWARE_INVALID for a given file that is not firmware; FILE_NOT_READABLE
 */
export async function findFirmware({
  path = process.env[firmwareVariable] || undefined,
  libraries: places = libraries,
}: FirmwareSearch = {}): Promise<Firmware | null> {
  if (path !== undefined) {
    const content = await readFile(path).catch((error: unknown) => {
      throw fail('FILE_NOT_READABLE', { path, reason: reasonOf(error) }, error);
    });
    return { path, bytes: firmwareIn(content, path) };
  }
  for (const place of places) {
    const content = await readFile(place).catch(() => null);
    const inside = content === null ? null : within(content);
    if (inside !== null) return { path: place, bytes: inside };
  }
  return null;
}

/** @param device name of the device that needs it. @throws EDGETPU_FIRMWARE_MISSING */
export async function requireFirmware(device: string, search: FirmwareSearch): Promise<Firmware> {
  const found = await findFirmware(search);
  if (found === null)
    throw fail('EDGETPU_FIRMWARE_MISSING', {
      device,
      looked: `; there is no libedgetpu at ${(search.libraries ?? libraries).join(', ')}`,
    });
  return found;
}

/** @throws EDGETPU_FIRMWARE_INVALID */
function firmwareIn(content: Buffer, path: string): Uint8Array {
  const inside = within(content);
  if (inside !== null) return inside;
  const executable = content.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'));
  if (executable)
    throw fail('EDGETPU_FIRMWARE_INVALID', {
      path,
      reason: 'the library contains a different firmware than the known one',
    });
  if (content.byteLength === 0 || content.byteLength > maxBytes)
    throw fail('EDGETPU_FIRMWARE_INVALID', { path, reason: `it has ${content.byteLength} bytes` });
  if (content[0] !== longJump)
    throw fail('EDGETPU_FIRMWARE_INVALID', { path, reason: 'it does not start with a jump, like code of an 8051' });
  return content;
}

/** Finds the known firmware in a library; null if it is not there. */
function within(content: Buffer): Uint8Array | null {
  for (let at = content.indexOf(known.head); at >= 0; at = content.indexOf(known.head, at + 1)) {
    const candidate = content.subarray(at, at + known.bytes);
    if (createHash('sha256').update(candidate).digest('hex') === known.sha256) return candidate;
  }
  return null;
}
