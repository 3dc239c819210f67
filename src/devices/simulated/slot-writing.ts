// Writes an image into a slot, within its size and with the device's faults.

import { type DeviceState, slotBytesOf } from './device-state.js';
import type { Slot } from './slots.js';
import { atollStatusError } from './status-error.js';

/**
 * @param length of the image, if known
 * @param keeps whether the data is appended to the content of the slot instead of replacing it
 */
export function beginSlot(device: DeviceState, slot: Slot, length: number | undefined, keeps = false): void {
  const room = slotBytesOf(device.target);
  if (length !== undefined && length > room) {
    throw atollStatusError(
      'IMAGE_TOO_LARGE',
      `the image has ${length} bytes, a slot of ${device.target.id} ${room} (${length - room} too many)`,
    );
  }
  if (!keeps) device.slots.erase(slot);
  device.expectedBytes = length ?? null;
}

export function appendToSlot(device: DeviceState, slot: Slot, data: Uint8Array): void {
  const end = slot.bytes.byteLength + data.byteLength;
  const room = slotBytesOf(device.target);
  if (end > room) throw atollStatusError('IMAGE_TOO_LARGE', `the image exceeds a slot of ${room} bytes`);
  const late = end > (device.expectedBytes ?? Number.POSITIVE_INFINITY) / 2;
  device.slots.append(slot, device.faults.stored(data, late));
  const after = device.faults.afterStoring(late);
  if (after === 'reset') device.reset();
  if (after === 'unplug') device.unplug();
}
