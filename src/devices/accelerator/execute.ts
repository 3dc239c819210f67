// Performs the transfers of an executable, one after another (libedgetpu, usb_driver.cc: ProcessIo with hints, one
// endpoint).

import { elementAt } from '../../base/checked.js';
import type { DataTransfer, Place } from '../../targets/compiled/index.js';
import { type AcceleratorLink, Tag } from './link.js';
import type { LoadedExecutable } from './program.js';

/** @param inputs in transfer layout. @returns outputs in transfer layout. @throws EDGETPU_*, DEVICE_CLOSED */
export async function execute(
  link: AcceleratorLink,
  { executable, instructions }: LoadedExecutable,
  inputs: readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  const outputs = executable.outputs.map(({ paddedBytes }) => new Uint8Array(paddedBytes));
  const scratch = new Uint8Array(executable.scratchBytes);
  const bytesAt = (place: Place): Uint8Array => {
    switch (place.of) {
      case 'parameters':
        return executable.parameters;
      case 'scratch':
        return scratch;
      case 'input':
        return elementAt(inputs, place.layer);
      case 'output':
        return elementAt(outputs, place.layer);
    }
  };
  for (const transfer of executable.transfers) {
    switch (transfer.what) {
      case 'instructions':
        await link.send(Tag.instructions, elementAt(instructions, transfer.chunk), 'instructions');
        break;
      case 'data':
        await transferData(link, transfer, bytesAt(transfer.place));
        break;
      case 'interrupt':
        await link.flush();
        await link.interrupted(transfer.number);
        break;
      case 'fence':
        await link.flush();
        break;
    }
  }
  return outputs;
}

async function transferData(
  link: AcceleratorLink,
  { to, place, offset, bytes }: Extract<DataTransfer, { what: 'data' }>,
  memory: Uint8Array,
): Promise<void> {
  if (to === 'device') {
    const tag = place.of === 'parameters' ? Tag.parameters : Tag.input;
    await link.send(tag, memory.subarray(offset, offset + bytes), place.of === 'input' ? 'an input' : place.of);
    return;
  }
  // Request the output while earlier data is still being sent. Later data waits for the output: on a single endpoint it
  // would block it (usb_driver.cc: ProcessIo).
  memory.set(await link.receive(bytes, 'an output'), offset);
}
