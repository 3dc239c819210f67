// The file group for the two slot files, with the offsets and errors of Zephyr's server (fs_mgmt.c): an upload at
// offset 0 starts over; any other offset must be the end of the file, and a mismatch is answered with that length.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { fileCommands, slotFiles } from '../protocol/index.js';
import { CompressedUpload } from './compressed-upload.js';
import type { DeviceState } from './device-state.js';
import { type Handler, handler } from './handlers.js';
import { appendToSlot, beginSlot } from './slot-writing.js';
import type { Slot } from './slots.js';
import { fileError } from './status-error.js';

export function fileHandlers(device: DeviceState): Handler[] {
  return [
    handler(fileCommands.upload, ({ off, data, name, len }) => {
      if (isCompressedFile(device, name)) uploadCompressed(device, off, data);
      else upload(device, uploadSlot(device, name), off, data, len);
      return { off: off + data.byteLength };
    }),
    handler(fileCommands.download, ({ off, name }) => {
      const slot = slotOf(device, name);
      if (off > slot.bytes.byteLength) throw fileError('OFFSET_LARGER_THAN_FILE');
      const data = slot.bytes.slice(off, off + device.chunkBytes);
      return { off, data, ...(off === 0 ? { len: slot.bytes.byteLength } : {}) };
    }),
    handler(fileCommands.status, ({ name }) => ({ len: lengthOf(device, name) })),
    handler(fileCommands.hash, ({ name, type = 'sha256', off = 0, len }) => {
      const slot = slotOf(device, name);
      if (slot.bytes.byteLength === 0) throw fileError('FILE_EMPTY');
      if (off > slot.bytes.byteLength) throw fileError('OFFSET_LARGER_THAN_FILE');
      const asked = slot.bytes.subarray(off, len === undefined ? undefined : off + len);
      const part = device.faults.hashed(asked);
      if (type !== 'sha256' && type !== 'crc32') throw fileError('HASH_NOT_FOUND');
      const output = type === 'crc32' ? crc32(part) : new Uint8Array(createHash('sha256').update(part).digest());
      return { type, len: part.byteLength, output, ...(off === 0 ? {} : { off }) };
    }),
    handler(fileCommands.hashTypes, () => ({
      types: { sha256: { format: 1, size: 32 }, crc32: { format: 0, size: 4 } },
    })),
    handler(fileCommands.close, () => ({})),
  ];
}

/** A device without compression has no such file. */
function isCompressedFile(device: DeviceState, name: string): boolean {
  return name === slotFiles.compressed && device.inflateBytes !== null;
}

function lengthOf(device: DeviceState, name: string): number {
  return isCompressedFile(device, name) ? (device.compressed?.received ?? 0) : slotOf(device, name).bytes.byteLength;
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

function upload(device: DeviceState, slot: Slot, off: number, data: Uint8Array, length: number | undefined): void {
  if (off === 0) beginSlot(device, slot, length);
  else if (off !== slot.bytes.byteLength) throw fileError('OFFSET_NOT_VALID', { len: slot.bytes.byteLength });
  appendToSlot(device, slot, data);
}

function uploadCompressed(device: DeviceState, off: number, data: Uint8Array): void {
  if (off === 0) device.compressed = new CompressedUpload(device);
  const { compressed } = device;
  if (compressed === null || off !== compressed.received)
    throw fileError('OFFSET_NOT_VALID', { len: compressed?.received ?? 0 });
  compressed.add(data);
}
