// Where in a device's flash an image may go: behind the firmware, within the flash.

import { alignUp } from '../../base/alignment.js';
import { fail } from '../../base/errors.js';
import type { Target } from '../../targets/index.js';

/** Byte addresses; the end is exclusive. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

export interface FlashPlace {
  readonly address: number;
  /** Area of all slots: nothing outside is written or erased. */
  readonly partition: AddressRange;
}

/** Page size of UF2 blocks, and of most flash. */
const page = 256;

/**
 * @param address null for the first slot
 * @throws USAGE if the target gives no flash address, or the place is outside the slots
 */
export function placeInFlash(target: Target, imageBytes: number, address: number | null): FlashPlace {
  const { flash, id, flashMethod } = target;
  if (flash?.start === undefined)
    throw fail('USAGE', { reason: `the flash of ${id} has no known method; its own is: ${flashMethod}` });
  const partition = {
    start: flash.start + alignUp(flash.firmwareBytes, page),
    end: Math.min(flash.start + flash.usableBytes, 2 ** 32),
  };
  const at = address ?? partition.start;
  if (at < partition.start || at + imageBytes > partition.end || at % page !== 0) {
    const range =
      `${hexAddress(partition.start)}, behind the firmware, and ${hexAddress(partition.end)}, from a multiple of ` +
      `${page} on`;
    throw fail('USAGE', { reason: `address ${hexAddress(at)}: ${imageBytes} bytes must lie between ${range}` });
  }
  return { address: at, partition };
}

export function hexAddress(value: number): string {
  return `0x${value.toString(16)}`;
}
