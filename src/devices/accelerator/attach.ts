// Attaches an accelerator: loads its firmware if needed and opens it. Without firmware it is another USB device with a
// DFU interface; after loading, and after each reset, it re-enumerates (libedgetpu, usb_driver.cc: PrepareUsbDevice;
// usb_dfu_commands.cc).

import { fail, reasonOf } from '../../base/errors.js';
import { type OnProgress, started } from '../../base/progress.js';
import { claimDfu, type DfuInterface, dfuOf } from '../flashing/index.js';
import { onlyUsb, pause, type UsbControlDevice, usbDevices, usbError } from '../transport/index.js';
import { Accelerator, type AcceleratorOptions } from './accelerator.js';
import { type FirmwareSearch, requireFirmware } from './firmware.js';
import { acceleratorIds } from './ids.js';
import { AcceleratorLink, endpoints, type LinkOptions, usbTimeoutMs } from './link.js';

type State = keyof typeof acceleratorIds;

export type AttachStep = 'load the firmware' | 'start the accelerator';

export interface AttachOptions extends AcceleratorOptions, LinkOptions {
  readonly firmware?: FirmwareSearch;
  readonly devices?: () => Promise<readonly UsbControlDevice[]>;
  /** Pause after a reset: a device that is opened at once loses transfers (libedgetpu waits 1 s). */
  readonly settleMs?: number;
  /** Timeout for re-enumeration: with new firmware it takes 2 to 3 s. */
  readonly comingBackMs?: number;
  readonly onProgress?: OnProgress<AttachStep>;
  readonly signal?: AbortSignal | undefined;
}

const defaultSettleMs = 600;
const defaultComingBackMs = 10_000;
const configuration = 1;

/** Whether a USB device is an accelerator, and in which state. */
export function acceleratorState({
  vendorId,
  productId,
}: Pick<UsbControlDevice, 'vendorId' | 'productId'>): State | null {
  for (const [state, { vendor, product }] of Object.entries(acceleratorIds))
    if (vendor === vendorId && product === productId) return state as State;
  return null;
}

/** An open device that runs its firmware and was reset; the chip is still asleep. */
export interface OpenedAccelerator {
  readonly link: AcceleratorLink;
  /** Packet size of the output endpoint. */
  readonly packetBytes: number;
}

/**
 * Opens the only accelerator of this machine and starts it; loads the firmware if it has none.
 * @param uri for messages
 * @throws USB_CHOICE, USB_PERMISSION, USB_BUSY, EDGETPU_FIRMWARE_*, EDGETPU_*, DFU_*, DEVICE_UNREACHABLE, DEVICE_CLOSED
 */
export async function attachAccelerator(uri: string, options: AttachOptions = {}): Promise<Accelerator> {
  const { link, packetBytes } = await openAccelerator(uri, options);
  return Accelerator.start(link, packetBytes, options);
}

/** @throws what attachAccelerator throws */
export async function openAccelerator(uri: string, options: AttachOptions = {}): Promise<OpenedAccelerator> {
  const { devices = usbDevices, settleMs = defaultSettleMs, onProgress, signal } = options;
  const found = onlyUsb(await devices(), (device) => acceleratorState(device) !== null, undefined, 'an Edge TPU');
  if (acceleratorState(found) === 'waiting') {
    onProgress?.(started('load the firmware'));
    await loadFirmware(uri, found, options);
  }
  onProgress?.(started('start the accelerator'));
  await reset(uri, found, acceleratorState(found) === 'running');
  await pause(settleMs, signal);
  return claimed(uri, await comeBack(uri, options), options);
}

async function claimed(uri: string, device: UsbControlDevice, options: AttachOptions): Promise<OpenedAccelerator> {
  try {
    await claim(device);
  } catch (error) {
    await device.close().catch(() => undefined);
    throw usbError(uri, error);
  }
  const all = device.configurations.flatMap(({ interfaces }) =>
    interfaces.flatMap(({ alternate }) => alternate.endpoints),
  );
  const output = all.find(({ direction, endpointNumber }) => direction === 'in' && endpointNumber === endpoints.output);
  if (output === undefined) {
    await device.close().catch(() => undefined);
    throw fail('EDGETPU_START', { device: uri, reason: 'it has no output endpoint' });
  }
  return { link: new AcceleratorLink(uri, device, options), packetBytes: output.packetSize };
}

async function claim(device: UsbControlDevice): Promise<void> {
  if (!device.opened) await device.open();
  if (device.configuration?.configurationValue !== configuration) await device.selectConfiguration(configuration);
  await device.claimInterface(0);
}

/** Writes the firmware and reads it back; a reset starts it. */
async function loadFirmware(
  uri: string,
  device: UsbControlDevice,
  { firmware: search = {}, timeoutMs = usbTimeoutMs }: AttachOptions,
): Promise<void> {
  const { bytes } = await requireFirmware(uri, search);
  const place = dfuOf(uri, device);
  const dfu = await claimDfu(place, 0, timeoutMs);
  try {
    const blocks = Math.ceil(bytes.byteLength / dfu.functions.transferBytes);
    await dfu.makeIdle();
    for (let block = 0; block < blocks; block++)
      await dfu.download(block, blockOf(dfu, bytes, block), `block ${block} of its firmware`);
    await dfu.finish(blocks);
    await verify(dfu, bytes);
  } catch (error) {
    await device.close().catch(() => undefined);
    throw usbError(uri, error);
  }
}

/** Its memory is longer than the firmware: read to the end, so that the device becomes idle again. */
async function verify(dfu: DfuInterface, bytes: Uint8Array): Promise<void> {
  const { transferBytes, canUpload } = dfu.functions;
  if (!canUpload) return;
  const most = Math.ceil(2 ** 16 / transferBytes) + 1;
  for (let block = 0; block < most; block++) {
    const read = await dfu.upload(block, transferBytes);
    const wanted = blockOf(dfu, bytes, block);
    if (!Buffer.from(read).subarray(0, wanted.byteLength).equals(wanted))
      throw fail('EDGETPU_START', {
        device: dfu.name,
        reason: `block ${block} of its firmware differs from what was sent`,
      });
    if (read.byteLength < transferBytes) return;
  }
}

function blockOf({ functions: { transferBytes } }: DfuInterface, bytes: Uint8Array, block: number): Uint8Array {
  return bytes.subarray(block * transferBytes, (block + 1) * transferBytes);
}

/**
 * Resets the device, which starts new firmware or restarts a running one. The device may disappear before the reset
 * completes.
 * @param claiming whether to claim the interface first, so that no other process uses the device
 */
async function reset(uri: string, device: UsbControlDevice, claiming: boolean): Promise<void> {
  try {
    if (claiming) await claim(device);
    else if (!device.opened) await device.open();
    await device.reset().catch((error: unknown) => {
      if (!/NOT_FOUND|NO_DEVICE/.test(reasonOf(error))) throw error;
    });
  } catch (error) {
    throw usbError(uri, error);
  } finally {
    await device.close().catch(() => undefined);
  }
}

/** @throws EDGETPU_START if it does not come back */
async function comeBack(
  uri: string,
  { devices = usbDevices, comingBackMs = defaultComingBackMs, signal }: AttachOptions,
): Promise<UsbControlDevice> {
  for (const until = Date.now() + comingBackMs; ; ) {
    const running = (await devices()).find((device) => acceleratorState(device) === 'running');
    if (running !== undefined) return running;
    if (Date.now() > until)
      throw fail('EDGETPU_START', {
        device: uri,
        reason: `it did not come back within ${comingBackMs / 1000} s after a reset`,
      });
    await pause(100, signal);
  }
}
