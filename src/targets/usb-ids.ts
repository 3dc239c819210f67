import type { Target } from './load.js';

export interface UsbId {
  readonly vendor: number;
  readonly product: number;
  /** State of the device while it has this id. */
  readonly state: string;
}

/** A device may appear under several ids, one for each state. */
export function usbIdsOf({ transports }: Target): readonly UsbId[] {
  return transports.flatMap((transport) => (transport.kind === 'usb' ? transport.ids : []));
}

/** In the notation of lsusb. */
export function usbHex(id: number): string {
  return id.toString(16).padStart(4, '0');
}
