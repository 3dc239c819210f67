// An upload of an image's compressed form: blocks are inflated into the inactive slot. What the slot already holds is
// not written again, so that an upload resumes where an earlier one was interrupted.

import { AtollError } from '../../base/errors.js';
import { CompressedReader, type StreamHeader } from '../bundle/index.js';
import type { DeviceState, PendingUpload } from './device-state.js';
import { appendToSlot, beginSlot } from './slot-writing.js';
import { atollStatusError, fileError } from './status-error.js';

export class CompressedUpload implements PendingUpload {
  /** Bytes received of the compressed form. */
  received = 0;
  private readonly reader = new CompressedReader();

  constructor(private readonly device: DeviceState) {}

  /** @throws StatusError, which ends the upload */
  add(data: Uint8Array): void {
    const { device } = this;
    try {
      const before = this.reader.header;
      const blocks = this.reader.add(data);
      if (before === null && this.reader.header !== null) this.begin(this.reader.header);
      for (const { at, bytes } of blocks) {
        const slot = device.slots.inactive;
        const known = slot.bytes.byteLength - at;
        if (known < bytes.byteLength) appendToSlot(device, slot, bytes.subarray(Math.max(0, known)));
        // A reset in between has lost the upload: this chunk must not count as received.
        if (device.compressed !== this) throw fileError('OFFSET_NOT_VALID', { len: 0 });
      }
      this.received += data.byteLength;
    } catch (error) {
      device.compressed = null;
      throw error instanceof AtollError ? atollStatusError('IMAGE_INVALID', error.message) : error;
    }
  }

  private begin({ firstBlock, blockBytes, imageBytes }: StreamHeader): void {
    const { inflateBytes, slots } = this.device;
    const { inactive } = slots;
    if (blockBytes > (inflateBytes ?? 0))
      throw atollStatusError('IMAGE_INVALID', `blocks of ${blockBytes} bytes; this device supports ${inflateBytes}`);
    const from = firstBlock * blockBytes;
    if (from > inactive.bytes.byteLength)
      throw atollStatusError('OFFSET_NOT_VALID', `the slot contains ${inactive.bytes.byteLength} bytes, not ${from}`);
    beginSlot(this.device, inactive, imageBytes, from > 0);
  }
}
