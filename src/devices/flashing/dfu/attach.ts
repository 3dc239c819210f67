// Finds a bootloader with DFU among the USB devices, starts it from running firmware if necessary, and claims its
// interface.

import { fail } from '../../../base/errors.js';
import { usbHex } from '../../../targets/index.js';
import {
  onlyUsb,
  pause,
  type UsbAlternateInterface,
  type UsbControlDevice,
  type UsbNamedAlternate,
  usbError,
} from '../../transport/index.js';
import { answeredWithin, type DfuFunctions, DfuInterface, dfuTimeoutMs } from './requests.js';

export interface UsbIds {
  readonly vendor: number;
  readonly product: number;
}

export type ListUsb = () => Promise<readonly UsbControlDevice[]>;

/** A device with DFU, in its bootloader or in its firmware. */
export interface DfuDevice {
  readonly uri: string;
  readonly device: UsbControlDevice;
  readonly dfu: UsbAlternateInterface;
  /** The firmware runs and must be told to start the bootloader. */
  readonly running: boolean;
}

const applicationSpecific = 0xfe;
const dfuSubclass = 1;
const runTimeProtocol = 1;
const functionalDescriptor = 0x21;
/** Timeout for the bootloader to appear. */
const comingBackMs = 10_000;
/** Timeout for the names of its alternate settings, which some bootloaders do not have. */
const namesMs = 2000;

/** @throws USB_CHOICE if none or several are attached; DFU_DEVICE */
export async function findDfu(
  ids: readonly UsbIds[],
  serial: string | undefined,
  devices: ListUsb,
): Promise<DfuDevice> {
  const has = (device: UsbControlDevice): boolean =>
    ids.some(({ vendor, product }) => vendor === device.vendorId && product === device.productId);
  const device = onlyUsb(await devices(), has, serial, ids.map(uriOf).join(' or '));
  return dfuOf(uriOf({ vendor: device.vendorId, product: device.productId }), device);
}

/** @throws DFU_DEVICE if it has no such interface */
export function dfuOf(uri: string, device: UsbControlDevice): DfuDevice {
  for (const { interfaces } of device.configurations) {
    const dfu = interfaces.find(({ alternates }) => alternates.some(isDfu));
    if (dfu !== undefined)
      return { uri, device, dfu, running: dfu.alternates.find(isDfu)?.interfaceProtocol === runTimeProtocol };
  }
  throw fail('DFU_DEVICE', { device: uri, reason: 'it has no DFU interface' });
}

/**
 * Tells running firmware to detach, and waits until its bootloader is attached, usually under another id.
 * @throws DFU_DEVICE
 */
export async function enterBootloader(
  found: DfuDevice,
  ids: readonly UsbIds[],
  devices: ListUsb,
  signal?: AbortSignal,
): Promise<DfuDevice> {
  const dfu = await claimDfu(found, 0);
  await dfu.detach().catch((error: unknown) => {
    throw usbError(found.uri, error);
  });
  await found.device.close().catch(() => undefined);
  const until = Date.now() + comingBackMs;
  let namesUntil: number | null = null;
  while (Date.now() < until) {
    await pause(100, signal);
    const now = await findDfu(ids, undefined, devices).catch(() => null);
    if (now === null || now.running) continue;
    namesUntil ??= Date.now() + namesMs;
    // Until the system has granted access to a new device, its string descriptors cannot be read.
    if (now.dfu.alternates.every(({ interfaceName }) => interfaceName) || Date.now() >= namesUntil) return now;
  }
  throw fail('DFU_DEVICE', {
    device: found.uri,
    reason: `it was asked to start its bootloader, but did not come back within ${comingBackMs / 1000} s`,
  });
}

/** @throws USB_PERMISSION, USB_BUSY, DEVICE_UNREACHABLE, DFU_DEVICE */
export async function claimDfu(
  { uri, device, dfu }: DfuDevice,
  alternate: number,
  timeoutMs = dfuTimeoutMs,
): Promise<DfuInterface> {
  try {
    if (!device.opened) await device.open();
    await device.claimInterface(dfu.interfaceNumber);
    // Devices without alternate settings may not support the request.
    if (dfu.alternates.length > 1) await device.selectAlternateInterface(dfu.interfaceNumber, alternate);
    const functions = await answeredWithin(uri, readFunctions(device, dfu.interfaceNumber), timeoutMs);
    if (functions === null) throw fail('DFU_DEVICE', { device: uri, reason: 'it has no DFU functional descriptor' });
    return new DfuInterface(uri, device, dfu.interfaceNumber, functions, timeoutMs);
  } catch (error) {
    await device.close().catch(() => undefined);
    throw usbError(uri, error);
  }
}

function isDfu({ interfaceClass, interfaceSubclass }: UsbNamedAlternate): boolean {
  return interfaceClass === applicationSpecific && interfaceSubclass === dfuSubclass;
}

function uriOf({ vendor, product }: UsbIds): string {
  return `usb:${usbHex(vendor)}:${usbHex(product)}`;
}

async function readFunctions(device: UsbControlDevice, interfaceNumber: number): Promise<DfuFunctions | null> {
  const setup = { requestType: 'standard', recipient: 'device', request: 6, value: 0x0200, index: 0 } as const;
  const { data } = await device.controlTransferIn(setup, 4096);
  return data === undefined ? null : functionsIn(data, interfaceNumber);
}

/** Splits descriptors, each with its length and type. Exported for tests. */
export function functionsIn(descriptors: DataView, interfaceNumber: number): DfuFunctions | null {
  let inInterface = false;
  for (let at = 0; at + 2 <= descriptors.byteLength; at += descriptors.getUint8(at)) {
    const length = descriptors.getUint8(at);
    if (length < 2 || at + length > descriptors.byteLength) return null;
    const kind = descriptors.getUint8(at + 1);
    if (kind === 4 && length >= 3) inInterface = descriptors.getUint8(at + 2) === interfaceNumber;
    if (!inInterface || kind !== functionalDescriptor || length < 7) continue;
    const attributes = descriptors.getUint8(at + 2);
    const transferBytes = descriptors.getUint16(at + 5, true);
    if (transferBytes === 0) return null;
    return {
      canDownload: (attributes & 1) !== 0,
      canUpload: (attributes & 2) !== 0,
      detachesItself: (attributes & 8) !== 0,
      transferBytes,
      isDfuSe: length >= 9 && descriptors.getUint16(at + 7, true) === 0x011a,
    };
  }
  return null;
}
