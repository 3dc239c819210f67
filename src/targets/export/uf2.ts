// A UF2 image, which bootloaders that appear as a drive write to flash.

import { encodeBlock, UF2Flags } from 'uf2';

/** Data bytes per block (Microsoft's UF2 specification): one page. */
const uf2Page = 256;

/**
 * Writes bytes as a UF2 file for a flash address.
 * @param address flash address of the first byte; a multiple of the page size
 * @param familyId of the bootloader; boards of other families ignore the file
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
