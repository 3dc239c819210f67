// A UF2 image, which bootloaders that show up as a drive write to flash by themselves.

import { encodeBlock, UF2Flags } from 'uf2';

/** What bootloaders take in one block (Microsoft's UF2 specification): a page. */
const uf2Page = 256;

/**
 * @param address where in the device's address space the first byte goes; a multiple of the page
 * @param familyId of the bootloader; others ignore the file
 */
export function uf2Image(bytes: Uint8Array, address: number, familyId: number): Uint8Array {
  const totalBlocks = Math.ceil(bytes.length / uf2Page);
  const image = new Uint8Array(totalBlocks * 512);
  for (let block = 0; block < totalBlocks; block++) {
    const payload = new Uint8Array(uf2Page).fill(0xff);
    payload.set(bytes.subarray(block * uf2Page, (block + 1) * uf2Page));
    const flashAddress = address + block * uf2Page;
    encodeBlock(
      {
        flags: UF2Flags.familyIDPresent,
        flashAddress,
        payload,
        blockNumber: block,
        totalBlocks,
        boardFamily: familyId,
      },
      image,
      block * 512,
    );
  }
  return image;
}
