// Flashes through a bootloader with DFU, over libusb.

import { fail } from '../../../base/errors.js';
import { usbDevices, usbError } from '../../transport/index.js';
import type { FindWay, FlashJob } from '../way.js';
import { claimDfu, type DfuDevice, enterBootloader, findDfu, type ListUsb } from './attach.js';
import { parseMemoryLayout, type Sector } from './memory-layout.js';
import { sectorsOf, writeDfuSe, writePlainDfu } from './write.js';

/**
 * The alternate setting of the model's flash, and the sectors that the image needs; null for plain DFU, which has no
 * addresses.
 */
interface Area {
  readonly alternate: number;
  readonly sectors: readonly Sector[] | null;
}

/** @param devices those of this machine by default */
export function dfuWay(devices: ListUsb = usbDevices): FindWay<'dfu'> {
  return async (job, { ids, alternate }) => {
    const { image, place, choice, target } = job;
    const found = await findDfu(ids, choice.serial, devices);
    // Checked before anything is written; running firmware does not report it.
    if (!found.running) areaOf(found, job, alternate);
    return {
      method: 'dfu',
      through: `${found.uri}${found.running ? ', which runs its firmware' : ''}`,
      commands: [],
      write: async (run) => {
        const bootloader = found.running ? await enterBootloader(found, ids, devices, run.signal) : found;
        const area = areaOf(bootloader, job, alternate);
        const dfu = await claimDfu(bootloader, area.alternate);
        try {
          if (!dfu.functions.canDownload)
            throw fail('DFU_DEVICE', { device: found.uri, reason: 'it does not accept downloads' });
          if (area.sectors === null) return await writePlainDfu(dfu, image, run);
          return await writeDfuSe(dfu, image, place, area.sectors, target.flash?.start ?? 0, run);
        } catch (error) {
          run.signal?.throwIfAborted();
          // The device may be unplugged at any time.
          throw usbError(bootloader.uri, error);
        } finally {
          await bootloader.device.close().catch(() => undefined);
        }
      },
    };
  };
}

/** @throws FLASH_OUTSIDE, DFU_DEVICE if no alternate setting is known to be the model's */
function areaOf({ uri, dfu }: DfuDevice, { image, place }: FlashJob, wanted: string | undefined): Area {
  const named = dfu.alternates.map(({ alternateSetting, interfaceName }) => ({
    alternate: alternateSetting,
    text: interfaceName ?? '',
  }));
  const chosen = named.find(({ text }) => wanted === text);
  if (chosen !== undefined && parseMemoryLayout(chosen.text) === null)
    return { alternate: chosen.alternate, sectors: null };
  for (const { alternate, text } of wanted === undefined ? named : []) {
    const layout = parseMemoryLayout(text);
    if (layout?.sectors.some(({ start, end }) => start <= place.address && place.address < end)) {
      return { alternate, sectors: sectorsOf(uri, image, place, layout.sectors) };
    }
  }
  const list = named.map(({ text }) => text).join('; ');
  const missing =
    wanted === undefined
      ? 'has the address of the first slot; plain DFU needs `alternate` in the target file'
      : `is named ${wanted}`;
  throw fail('DFU_DEVICE', { device: uri, reason: `none of its alternate settings (${list}) ${missing}` });
}
