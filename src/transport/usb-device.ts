// What the USB transport needs of a device: a part of WebUSB's USBDevice, which every version of the package `usb` has, and browsers too.

export interface UsbEndpoint {
  readonly endpointNumber: number;
  readonly direction: 'in' | 'out';
  readonly type: string;
  readonly packetSize: number;
}

export interface UsbInterface {
  readonly interfaceNumber: number;
  readonly alternate: { readonly interfaceClass: number; readonly endpoints: readonly UsbEndpoint[] };
}

export interface UsbConfiguration {
  readonly configurationValue: number;
  readonly interfaces: readonly UsbInterface[];
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
  readonly transferIn: (endpoint: number, length: number) => Promise<{ readonly status?: string | undefined; readonly data?: DataView | undefined }>;
  readonly transferOut: (endpoint: number, data: Uint8Array<ArrayBuffer>) => Promise<{ readonly status?: string | undefined; readonly bytesWritten: number }>;
  readonly clearHalt: (direction: 'in' | 'out', endpoint: number) => Promise<void>;
}
