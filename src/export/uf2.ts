// A UF2 image, which bootloaders that show up as a drive write to flash by themselves.

import { encodeBlock, UF2Flags } from 'uf2';

/** What bootloaders take in one block (Microsoft's UF2 specification): a page. */
const payloadBytes = 256;

/**
 * @param address where in the device's address space the first byte goes; a multiple of the page
 * @param familyId of the bootloader; others ignore the file
 */
export function uf2Image(bytes: Uint8Array, address: number, familyId: number): Uint8Array {
  const totalBlocks = Math.ceil(bytes.length / payloadBytes);
  const image = new Uint8Array(totalBlocks * 512);
  for (let block = 0; block < totalBlocks; block++) {
    const payload = new Uint8Array(payloadBytes).fill(0xff);
    payload.set(bytes.subarray(block * payloadBytes, (block + 1) * payloadBytes));
    const flashAddress = address + block * payloadBytes;
    encodeBlock({ flags: UF2Flags.familyIDPresent, flashAddress, payload, blockNumber: block, totalBlocks, boardFamily: familyId }, image, block * 512);
  }
  return image;
}
