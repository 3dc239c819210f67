// The behaviour of an emulated USB device, independent of what carries its transfers: this process, or an emulated bus.

import type { UsbAlternateInterface, UsbConfiguration, UsbSetup } from '../../transport/index.js';

/** Packets of an endpoint to the host. A read takes whole packets and ends with a short one, or when it has enough. */
export interface PacketSource {
  readonly packetBytes: number;
  /** The next packet; undefined if there is none yet. */
  readonly next: () => Uint8Array | undefined;
}

export interface UsbGadget {
  readonly vendorId: number;
  readonly productId: number;
  readonly configurations: readonly UsbConfiguration<UsbAlternateInterface>[];
  /** The device descriptor, followed by the configuration descriptor. */
  readonly descriptors: Uint8Array;
  /** null: stall. */
  readonly controlIn: (setup: UsbSetup, length: number) => Uint8Array | null;
  /** false: stall. */
  readonly controlOut: (setup: UsbSetup, data: Uint8Array) => boolean;
  readonly out: (endpoint: number, data: Uint8Array) => boolean;
  /** null for an endpoint that does not exist. */
  readonly source: (endpoint: number) => PacketSource | null;
  /** Called when there may be something to read. */
  onPackets: () => void;
  /** The bus was reset. @returns the device from then on */
  readonly reset: () => UsbGadget;
}

export interface EndpointShape {
  readonly direction: 'in' | 'out';
  readonly number: number;
  readonly type: 'bulk' | 'interrupt';
  readonly packetBytes: number;
}

export interface DeviceShape {
  readonly vendor: number;
  readonly product: number;
  /** As in the descriptor: 0x0200, 0x0310. */
  readonly usbVersion: number;
  readonly interfaceClass: number;
  readonly interfaceSubclass: number;
  readonly interfaceProtocol: number;
  readonly endpoints: readonly EndpointShape[];
  /** Further descriptors of the interface. */
  readonly extra: readonly number[];
}

const descriptorTypes = { device: 1, configuration: 2, interface: 4, endpoint: 5 } as const;
const transferTypes = { bulk: 2, interrupt: 3 } as const;
const selfPowered = 0xc0;

/** A device with one configuration and one interface, as objects and as bytes. */
export function shaped(
  shape: DeviceShape,
): Pick<UsbGadget, 'vendorId' | 'productId' | 'configurations' | 'descriptors'> {
  const { vendor, product, usbVersion, interfaceClass, interfaceSubclass, interfaceProtocol, endpoints, extra } = shape;
  const alternate = {
    alternateSetting: 0,
    interfaceClass,
    interfaceSubclass,
    interfaceProtocol,
    interfaceName: null,
    endpoints: endpoints.map(({ direction, number, type, packetBytes }) => ({
      direction,
      endpointNumber: number,
      type,
      packetSize: packetBytes,
    })),
  };
  const ofEndpoints = endpoints.flatMap(({ direction, number, type, packetBytes }) => [
    ...[7, descriptorTypes.endpoint, number | (direction === 'in' ? 0x80 : 0), transferTypes[type]],
    ...[packetBytes & 255, packetBytes >> 8, type === 'interrupt' ? 4 : 0],
  ]);
  const ofInterface = [
    9,
    descriptorTypes.interface,
    0,
    0,
    endpoints.length,
    interfaceClass,
    interfaceSubclass,
    interfaceProtocol,
    0,
    ...extra,
    ...ofEndpoints,
  ];
  const length = 9 + ofInterface.length;
  return {
    vendorId: vendor,
    productId: product,
    configurations: [
      { configurationValue: 1, interfaces: [{ interfaceNumber: 0, alternate, alternates: [alternate] }] },
    ],
    descriptors: Uint8Array.from([
      // No strings and no serial number, like the real device (bcdUSB 3.10, all string indices 0).
      ...[18, descriptorTypes.device, usbVersion & 255, usbVersion >> 8, 0, 0, 0, usbVersion >= 0x0300 ? 9 : 64],
      ...[vendor & 255, vendor >> 8, product & 255, product >> 8, 0, 1, 0, 0, 0, 1],
      ...[9, descriptorTypes.configuration, length & 255, length >> 8, 1, 1, 0, selfPowered, 112],
      ...ofInterface,
    ]),
  };
}
