// Transports carry SMP packets between host and device; one file each, all with the same interface. Takes an address
// and returns a Transport: opened towards a device, or listening for a device in this process.

import { defined } from '../../base/checked.js';
import { isBrokerUri } from '../mqtt/index.js';
import { type DeviceAddress, parseAddress } from './address.js';
import type { Listener } from './listener.js';
import { listenMqtt, openMqtt } from './mqtt.js';
import { listenPty } from './pty.js';
import { openSerial } from './serial.js';
import type { Distortion } from './stream.js';
import { listenTcp, openTcp } from './tcp.js';
import type { Transport } from './transport.js';
import { listenUdp, openUdp } from './udp.js';
import { openUsb } from './usb.js';

export { type DeviceAddress, parseAddress } from './address.js';
export { inProcessPair } from './in-process.js';
export type { Listener } from './listener.js';
export { acceptSmp, connectDevice, leaveBroker } from './mqtt.js';
export { pause } from './pause.js';
export { type SerialPortInfo, serialPorts } from './serial.js';
export type { LineProperties, Received, Transport } from './transport.js';
export { connectUsb, onlyUsb, openUsb, usbDevices, usbError } from './usb.js';
export type {
  UsbAlternateInterface,
  UsbConfiguration,
  UsbControlDevice,
  UsbDevice,
  UsbNamedAlternate,
  UsbSetup,
} from './usb-device.js';

const openers: Readonly<
  Record<string, { readonly options: readonly string[]; readonly open: (address: DeviceAddress) => Promise<Transport> }>
> = {
  serial: { options: ['baud', 'dtr', 'framing', 'rts'], open: openSerial },
  tcp: { options: ['framing'], open: openTcp },
  udp: { options: [], open: openUdp },
  usb: { options: [], open: openUsb },
};

const optionsOf = Object.fromEntries(Object.entries(openers).map(([scheme, { options }]) => [scheme, options]));

/** @throws DEVICE_UNKNOWN, BROKER_*, and what each transport throws */
export async function openTransport(uri: string): Promise<Transport> {
  if (isBrokerUri(uri)) return openMqtt(uri);
  const address = parseAddress(uri, optionsOf);
  return defined(openers[address.scheme]).open(address);
}

/**
 * @param where `pty` (`pty:?baud=115200` limits its speed to that of such a line), `tcp:[HOST:]PORT`,
 * `udp:[HOST:][PORT]`; port 0 is any free port; `mqtt://BROKER/FLEET/DEVICE`
 * @param distort changes the lines that a device sends over a console
 * @throws DEVICE_UNKNOWN, LISTEN
 */
export async function listen(
  where: string,
  onConnection: (transport: Transport) => void,
  distort?: Distortion,
): Promise<Listener> {
  if (isBrokerUri(where)) return listenMqtt(where, onConnection);
  const address = parseAddress(where === 'pty' || where === 'udp' ? `${where}:` : where, {
    pty: ['baud'],
    tcp: [],
    udp: [],
  });
  if (address.scheme === 'pty') return listenPty(address, onConnection, distort);
  return address.scheme === 'tcp' ? listenTcp(address, onConnection, distort) : listenUdp(address, onConnection);
}
