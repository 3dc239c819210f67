// Where in a device's flash an image may go: behind the firmware, and not beyond what is there.

import { fail } from '../errors.js';
import { alignUp } from '../simulator/index.js';
import type { Target } from '../targets/index.js';
import { uf2Page } from './uf2.js';

export interface FlashPlace {
  readonly address: number;
  readonly familyId: number;
}

/** @param address null for the first slot. @throws USAGE where the bootloader takes no UF2 files, or the place is outside the slots */
export function uf2Place(target: Target, imageBytes: number, address: number | null): FlashPlace {
  const { uf2, flash, id, flashMethod } = target;
  if (uf2 === undefined || flash === null)
    throw fail('USAGE', { reason: `the bootloader of ${id} takes no UF2 files; the way to its flash is: ${flashMethod}` });
  const first = uf2.flashStart + alignUp(flash.firmwareBytes, uf2Page);
  const end = Math.min(uf2.flashStart + flash.usableBytes, 2 ** 32);
  const at = address ?? first;
  if (at < first || at + imageBytes > end || at % uf2Page !== 0) {
    const range = `${hexAddress(first)}, behind the firmware, and ${hexAddress(end)}, from a multiple of ${uf2Page} on`;
    throw fail('USAGE', { reason: `--address ${hexAddress(at)}: ${imageBytes} bytes must lie between ${range}` });
  }
  return { address: at, familyId: uf2.familyId };
}

export function hexAddress(value: number): string {
  return `0x${value.toString(16)}`;
}
