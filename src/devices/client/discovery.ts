// Finds the serial ports and USB devices of boards, by the USB ids in the target files.

import { fail } from '../../base/errors.js';
import { type Target, usbHex, usbIdsOf } from '../../targets/index.js';
import { type SerialPortInfo, serialPorts, type UsbDevice, usbDevices } from '../transport/index.js';

export interface AttachedPort extends SerialPortInfo {
  /** Targets with these USB ids, with the state that the id stands for. */
  readonly targets: readonly { readonly id: string; readonly state: string }[];
}

/** @throws SERIAL_LIST */
export async function attachedPorts(targets: readonly Target[]): Promise<AttachedPort[]> {
  return matchPorts(await serialPorts(), targets);
}

export function matchPorts(ports: readonly SerialPortInfo[], targets: readonly Target[]): AttachedPort[] {
  return ports.map((port) => ({ ...port, targets: targetsOf(port, targets) }));
}

function targetsOf(
  device: { readonly vendorId: number | null; readonly productId: number | null },
  targets: readonly Target[],
): AttachedPort['targets'] {
  return targets.flatMap((target) =>
    usbIdsOf(target)
      .filter(({ vendor, product }) => vendor === device.vendorId && product === device.productId)
      .map(({ state }) => ({ id: target.id, state })),
  );
}

export interface AttachedUsb {
  readonly uri: string;
  readonly name: string | null;
  readonly serialNumber: string | null;
  readonly targets: AttachedPort['targets'];
}

/** USB devices whose ids a target file contains. @throws USB_UNAVAILABLE */
export async function attachedUsb(
  targets: readonly Target[],
  devices: () => Promise<readonly UsbDevice[]> = usbDevices,
): Promise<AttachedUsb[]> {
  return (await devices()).flatMap((device) => {
    const { productName, serialNumber } = device;
    const known = targetsOf(device, targets);
    if (known.length === 0) return [];
    const serial = serialNumber === undefined || serialNumber === null || serialNumber === '' ? null : serialNumber;
    return [
      {
        uri: `usb:${usbHex(device.vendorId)}:${usbHex(device.productId)}${serial === null ? '' : `/${serial}`}`,
        name: productName ?? null,
        serialNumber: serial,
        targets: known,
      },
    ];
  });
}

/** The only device of a target, in any state. @throws USB_CHOICE, USB_UNAVAILABLE */
export async function usbOfTarget(
  target: Target,
  devices: () => Promise<readonly UsbDevice[]> = usbDevices,
): Promise<string> {
  const found = await attachedUsb([target], devices);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.uri;
  throw fail('USB_CHOICE', {
    count: found.length,
    what: target.id,
    serials: found.length === 0 ? '' : `; attached: ${found.map(({ uri }) => uri).join(', ')}`,
  });
}

/**
 * The only port of a kind.
 * @param what for messages
 * @throws SERIAL_CHOICE if none or several match: nothing is guessed
 */
export function onlyPort(
  ports: readonly AttachedPort[],
  what: string,
  matches: (port: AttachedPort) => boolean,
): AttachedPort {
  const found = ports.filter(matches);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const list = found
    .map(({ path, serialNumber }) => `${path}${serialNumber === null ? '' : ` (${serialNumber})`}`)
    .join(', ');
  throw fail('SERIAL_CHOICE', { count: found.length, what, ports: list === '' ? '' : `: ${list}` });
}
