import type { Target } from './load.js';

export interface UsbId {
  readonly vendor: number;
  readonly product: number;
  /** What the device does while it has this id. */
  readonly state: string;
}

/** A device may be attached under several ids, one for each state. */
export function usbIdsOf({ transports }: Target): readonly UsbId[] {
  return transports.flatMap((transport) => (transport.kind === 'usb' ? transport.ids : []));
}

/** As systems print USB ids. */
export function usbHex(id: number): string {
  return id.toString(16).padStart(4, '0');
}
