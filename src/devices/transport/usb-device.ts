// The required part of WebUSB's USBDevice, which every version of the package `usb` has, and browsers too.

export interface UsbEndpoint {
  readonly endpointNumber: number;
  readonly direction: 'in' | 'out';
  readonly type: string;
  readonly packetSize: number;
}

export interface UsbAlternate {
  readonly interfaceClass: number;
  readonly endpoints: readonly UsbEndpoint[];
}

export interface UsbInterface<Alternate = UsbAlternate> {
  readonly interfaceNumber: number;
  readonly alternate: Alternate;
}

export interface UsbConfiguration<Interface = UsbInterface> {
  readonly configurationValue: number;
  readonly interfaces: readonly Interface[];
}

export interface UsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber?: string | null | undefined;
  readonly productName?: string | null | undefined;
  readonly opened: boolean;
  readonly configuration?: UsbConfiguration | null | undefined;
  readonly configurations: readonly UsbConfiguration[];
  readonly open: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly selectConfiguration: (value: number) => Promise<void>;
  readonly claimInterface: (number: number) => Promise<void>;
  readonly transferIn: (
    endpoint: number,
    length: number,
  ) => Promise<{ readonly status?: string | undefined; readonly data?: DataView | undefined }>;
  readonly transferOut: (
    endpoint: number,
    data: Uint8Array<ArrayBuffer>,
  ) => Promise<{ readonly status?: string | undefined; readonly bytesWritten: number }>;
  readonly clearHalt: (direction: 'in' | 'out', endpoint: number) => Promise<void>;
}

/** An alternate setting of an interface. */
export interface UsbNamedAlternate extends UsbAlternate {
  readonly alternateSetting: number;
  readonly interfaceSubclass: number;
  readonly interfaceProtocol: number;
  /** null if it has none. */
  readonly interfaceName?: string | null | undefined;
}

export interface UsbAlternateInterface extends UsbInterface<UsbNamedAlternate> {
  readonly alternates: readonly UsbNamedAlternate[];
}

export interface UsbSetup {
  readonly requestType: 'standard' | 'class' | 'vendor';
  readonly recipient: 'device' | 'interface';
  readonly request: number;
  readonly value: number;
  readonly index: number;
}

/** The same with control transfers. */
export interface UsbControlDevice extends UsbDevice {
  readonly configurations: readonly UsbConfiguration<UsbAlternateInterface>[];
  readonly selectAlternateInterface: (interfaceNumber: number, alternateSetting: number) => Promise<void>;
  readonly controlTransferIn: (
    setup: UsbSetup,
    length: number,
  ) => Promise<{ readonly status?: string | undefined; readonly data?: DataView | undefined }>;
  readonly controlTransferOut: (
    setup: UsbSetup,
    data?: Uint8Array<ArrayBuffer>,
  ) => Promise<{ readonly status?: string | undefined; readonly bytesWritten: number }>;
  readonly releaseInterface: (number: number) => Promise<void>;
  readonly reset: () => Promise<void>;
}
