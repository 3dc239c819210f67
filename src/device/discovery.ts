// Which serial ports belong to boards that a target file knows by their USB ids.

import { fail } from '../errors.js';
import type { Target } from '../targets/index.js';
import { type SerialPortInfo, serialPorts } from '../transport/index.js';

export interface AttachedPort extends SerialPortInfo {
  /** Targets whose USB ids these are, with the state that the id tells. */
  readonly targets: readonly { readonly id: string; readonly state: string }[];
}

/** @throws SERIAL_LIST */
export async function attachedPorts(targets: readonly Target[]): Promise<AttachedPort[]> {
  return matchPorts(await serialPorts(), targets);
}

export function matchPorts(ports: readonly SerialPortInfo[], targets: readonly Target[]): AttachedPort[] {
  return ports.map((port) => ({
    ...port,
    targets: targets.flatMap((target) =>
      target.transports
        .flatMap((transport) => (transport.kind === 'usb' ? transport.ids : []))
        .filter(({ vendor, product }) => vendor === port.vendorId && product === port.productId)
        .map(({ state }) => ({ id: target.id, state })),
    ),
  }));
}

/** The only port of a kind. @param what for messages. @throws SERIAL_CHOICE where none or several match: nothing is guessed */
export function onlyPort(ports: readonly AttachedPort[], what: string, matches: (port: AttachedPort) => boolean): AttachedPort {
  const found = ports.filter(matches);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const list = found.map(({ path, serialNumber }) => `${path}${serialNumber === null ? '' : ` (${serialNumber})`}`).join(', ');
  throw fail('SERIAL_CHOICE', { count: found.length, what, ports: list === '' ? '' : `: ${list}` });
}
