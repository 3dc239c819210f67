// Writes an image by plain DFU, which has one area behind each alternate setting, or by DfuSe, which has addresses.
// Sources: DFU 1.1, chapter 6; ST AN3156, "USB DFU protocol used in the STM32 bootloader".

import { fail } from '../../../base/errors.js';
import { type FlashPlace, hexAddress } from '../place.js';
import type { FlashResult, FlashRun, FlashStep } from '../way.js';
import type { Sector } from './memory-layout.js';
import type { DfuInterface } from './requests.js';

const setAddressCommand = 0x21;
const eraseCommand = 0x41;
/** Block number of the first data block of a DfuSe transfer; lower numbers are commands. */
const firstBlock = 2;
/** Blocks per address pointer; block numbers have 16 bits. */
const blocksOfOneAddress = 4096;

/** @throws FLASH_OUTSIDE if the image needs sectors outside the model's area, or sectors that cannot be written */
export function sectorsOf(
  device: string,
  image: Uint8Array,
  { address, partition }: FlashPlace,
  sectors: readonly Sector[],
): Sector[] {
  const end = address + image.byteLength;
  const touched = sectors.filter((sector) => sector.start < end && sector.end > address);
  const outside = (reason: string): Error => fail('FLASH_OUTSIDE', { device, reason });
  const covered = touched.reduce(
    (bytes, sector) => bytes + Math.min(sector.end, end) - Math.max(sector.start, address),
    0,
  );
  if (covered < image.byteLength)
    throw outside(`its memory does not extend from ${hexAddress(address)} to ${hexAddress(end)}`);
  for (const { start, end: behind, erasable, writable } of touched) {
    const place = `the sector from ${hexAddress(start)} to ${hexAddress(behind)}`;
    if (!writable || !erasable) throw outside(`${place} cannot be written`);
    if (start < partition.start || behind > partition.end)
      throw outside(`${place} would be erased, but contains more than models`);
  }
  return touched;
}

/**
 * @param sectors that the image needs; they are erased
 * @param startAddress address of the firmware, which the device starts afterwards
 */
export async function writeDfuSe(
  dfu: DfuInterface,
  image: Uint8Array,
  { address }: FlashPlace,
  sectors: readonly Sector[],
  startAddress: number,
  run: FlashRun,
): Promise<FlashResult> {
  const { transferBytes, canUpload } = dfu.functions;
  const command = (code: number, at: number, what: string): Promise<void> => {
    const data = new Uint8Array(5);
    data[0] = code;
    new DataView(data.buffer).setUint32(1, at, true);
    return dfu.download(0, data, `${what} at ${hexAddress(at)}`);
  };
  const bytesOfOneAddress = blocksOfOneAddress * transferBytes;
  await dfu.makeIdle();
  for (const [done, { start }] of sectors.entries()) {
    step(run, 'erase', done, sectors.length);
    await command(eraseCommand, start, 'an erase');
  }
  for (let at = 0; at < image.byteLength; at += transferBytes) {
    step(run, 'write', at, image.byteLength, 'bytes');
    const pointer = at - (at % bytesOfOneAddress);
    if (at === pointer) await command(setAddressCommand, address + pointer, 'an address');
    const what = `a block at ${hexAddress(address + at)}`;
    await dfu.download(firstBlock + (at - pointer) / transferBytes, image.subarray(at, at + transferBytes), what);
  }
  for (let at = 0; canUpload && at < image.byteLength; at += transferBytes) {
    step(run, 'verify', at, image.byteLength, 'bytes');
    const pointer = at - (at % bytesOfOneAddress);
    if (at === pointer) {
      await dfu.makeIdle();
      await command(setAddressCommand, address + pointer, 'an address');
      await dfu.makeIdle();
    }
    const wanted = image.subarray(at, at + transferBytes);
    requireEqual(
      dfu.name,
      await dfu.upload(firstBlock + (at - pointer) / transferBytes, wanted.byteLength),
      wanted,
      at,
    );
  }
  await dfu.makeIdle();
  await command(setAddressCommand, startAddress, 'an address');
  await dfu.finish(0);
  step(run, canUpload ? 'verify' : 'write', image.byteLength, image.byteLength, 'bytes');
  return { verifiedBy: canUpload ? 'read-back' : null };
}

export async function writePlainDfu(dfu: DfuInterface, image: Uint8Array, run: FlashRun): Promise<FlashResult> {
  const { transferBytes } = dfu.functions;
  await dfu.makeIdle();
  let block = 0;
  for (let at = 0; at < image.byteLength; at += transferBytes) {
    step(run, 'write', at, image.byteLength, 'bytes');
    await dfu.download(block, image.subarray(at, at + transferBytes), `block ${block}`);
    block = (block + 1) % 0x10000;
  }
  await dfu.finish(block);
  step(run, 'write', image.byteLength, image.byteLength, 'bytes');
  return { verifiedBy: 'bootloader' };
}

function step({ signal, onProgress }: FlashRun, name: FlashStep, done: number, total: number, unit?: 'bytes'): void {
  signal?.throwIfAborted();
  onProgress?.({ step: name, done, total, ...(unit === undefined ? {} : { unit }) });
}

function requireEqual(device: string, actual: Uint8Array, expected: Uint8Array, at: number): void {
  const hex = (value: number | undefined): string => (value === undefined ? 'nothing' : hexAddress(value));
  const wrong = expected.findIndex((value, i) => value !== actual[i]);
  if (wrong >= 0)
    throw fail('FLASH_VERIFY', {
      device,
      offset: at + wrong,
      actual: hex(actual[wrong]),
      expected: hex(expected[wrong]),
    });
}
