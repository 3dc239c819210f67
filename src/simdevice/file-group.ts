// The file group over the two slot files, with the offsets and errors of Zephyr's server (fs_mgmt.c): an upload at
// offset 0 begins anew, any other offset must be where the file ends, and a mismatch answers with that length.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { fileCommands, slotFiles } from '../protocol/index.js';
import { type DeviceState, slotBytesOf } from './device-state.js';
import { type Handler, handler } from './handlers.js';
import type { Slot } from './slots.js';
import { atollError, fileError } from './status-error.js';

export function fileHandlers(device: DeviceState): Handler[] {
  return [
    handler(fileCommands.upload, ({ off, data, name, len }) => {
      const slot = uploadSlot(device, name);
      if (off === 0) begin(device, slot, len);
      else if (off !== slot.bytes.byteLength) throw fileError('OFFSET_NOT_VALID', { len: slot.bytes.byteLength });
      append(device, slot, data);
      return { off: off + data.byteLength };
    }),
    handler(fileCommands.download, ({ off, name }) => {
      const slot = slotOf(device, name);
      if (off > slot.bytes.byteLength) throw fileError('OFFSET_LARGER_THAN_FILE');
      const data = slot.bytes.slice(off, off + device.chunkBytes);
      return { off, data, ...(off === 0 ? { len: slot.bytes.byteLength } : {}) };
    }),
    handler(fileCommands.status, ({ name }) => ({ len: slotOf(device, name).bytes.byteLength })),
    handler(fileCommands.hash, ({ name, type = 'sha256', off = 0, len }) => {
      const slot = slotOf(device, name);
      if (slot.bytes.byteLength === 0) throw fileError('FILE_EMPTY');
      if (off > slot.bytes.byteLength) throw fileError('OFFSET_LARGER_THAN_FILE');
      const part = slot.bytes.subarray(off, len === undefined ? undefined : off + len);
      if (type !== 'sha256' && type !== 'crc32') throw fileError('HASH_NOT_FOUND');
      const output = type === 'crc32' ? crc32(part) : new Uint8Array(createHash('sha256').update(part).digest());
      return { type, len: part.byteLength, output, ...(off === 0 ? {} : { off }) };
    }),
    handler(fileCommands.close, () => ({})),
  ];
}

function slotOf(device: DeviceState, name: string): Slot {
  if (name === slotFiles.inactive) return device.slots.inactive;
  if (name !== slotFiles.active) throw fileError('NOT_FOUND');
  const { active } = device.slots;
  if (active === null) throw fileError('NOT_FOUND');
  return active;
}

function uploadSlot(device: DeviceState, name: string): Slot {
  if (name === slotFiles.active) throw fileError('READ_ONLY');
  return slotOf(device, name);
}

function begin(device: DeviceState, slot: Slot, length: number | undefined): void {
  const room = slotBytesOf(device.target);
  if (length !== undefined && length > room) {
    throw atollError('IMAGE_TOO_LARGE', `the image has ${length} bytes, a slot of ${device.target.id} ${room} (${length - room} too many)`);
  }
  device.slots.erase(slot);
  device.expectedBytes = length ?? null;
}

function append(device: DeviceState, slot: Slot, data: Uint8Array): void {
  const end = slot.bytes.byteLength + data.byteLength;
  const room = slotBytesOf(device.target);
  if (end > room) throw atollError('IMAGE_TOO_LARGE', `the image exceeds a slot of ${room} bytes`);
  const half = (device.expectedBytes ?? Number.POSITIVE_INFINITY) / 2;
  if (end > half && device.faults.has('volume-full')) throw fileError('WRITE_FAILED');
  const stored = end > half && device.faults.once('short-write') ? new Uint8Array([...data.subarray(0, -1), 0]) : data;
  device.slots.append(slot, stored);
  if (end > half && device.faults.once('reboot-mid-upload')) device.reset();
}
