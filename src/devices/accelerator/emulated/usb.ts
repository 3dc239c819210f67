// An emulated gadget as a device of the package usb, in this process. It can be unplugged, and transfers can fail on
// demand.

import type { UsbControlDevice, UsbSetup } from '../../transport/index.js';
import type { UsbGadget } from './gadget.js';

export type TransferKind = 'control' | 'out' | 'output' | 'event' | 'interrupt';

/** Failure of a transfer: unplugged, stall, short or corrupted data, or no answer. */
export type UsbFault = 'unplug' | 'stall' | 'short' | 'garbage' | 'silence';

export interface Plug {
  /** Called before each transfer. @returns its failure, if any */
  readonly fault: (kind: TransferKind) => UsbFault | null;
  /** Whether the device is (still) on the bus. */
  readonly attached: (device: EmulatedUsbDevice) => boolean;
  readonly unplug: () => void;
  /** A reset has changed the device. */
  readonly became: (gadget: UsbGadget) => void;
}

const noDevice = 'LIBUSB_ERROR_NO_DEVICE';
const kinds: Readonly<Record<number, TransferKind>> = { 1: 'output', 2: 'event', 3: 'interrupt' };
const never = new Promise<never>(() => undefined);

interface PendingRead {
  readonly endpoint: number;
  /** Never completes. */
  readonly silent: boolean;
  readonly length: number;
  readonly parts: Uint8Array[];
  readonly resolve: (result: { status: string; data?: DataView }) => void;
  readonly reject: (error: Error) => void;
}

export class EmulatedUsbDevice implements UsbControlDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber = undefined;
  readonly productName = undefined;
  readonly configurations: UsbControlDevice['configurations'];
  configuration: UsbControlDevice['configuration'] = null;
  opened = false;
  private claimed = false;
  private reads: PendingRead[] = [];

  constructor(
    private readonly gadget: UsbGadget,
    private readonly plug: Plug,
  ) {
    ({ vendorId: this.vendorId, productId: this.productId, configurations: this.configurations } = gadget);
    gadget.onPackets = () => this.serveReads();
  }

  async open(): Promise<void> {
    this.requireAttached();
    this.opened = true;
  }

  async close(): Promise<void> {
    if (this.reads.length > 0 && this.plug.attached(this))
      throw new Error("close error: Error: Can't close device with a pending request");
    this.opened = false;
    this.claimed = false;
  }

  async selectConfiguration(value: number): Promise<void> {
    this.requireOpen();
    this.configuration = this.configurations.find(({ configurationValue }) => configurationValue === value);
  }

  async claimInterface(): Promise<void> {
    this.requireOpen();
    this.claimed = true;
  }

  async releaseInterface(): Promise<void> {
    this.endReads('LIBUSB_TRANSFER_CANCELLED');
    this.requireOpen();
    this.claimed = false;
  }

  async selectAlternateInterface(): Promise<void> {
    throw new Error('LIBUSB_ERROR_NOT_FOUND: there is only one');
  }

  async clearHalt(): Promise<void> {
    this.requireOpen();
  }

  async controlTransferIn(setup: UsbSetup, length: number): Promise<{ status: string; data?: DataView }> {
    const fault = this.begun('control');
    if (fault === 'silence') return never;
    const answer = fault === 'stall' ? null : this.gadget.controlIn(setup, length);
    if (answer === null) return { status: 'stall' };
    return { status: 'ok', data: viewOf(distorted(answer, fault)) };
  }

  async controlTransferOut(
    setup: UsbSetup,
    data: Uint8Array = new Uint8Array(0),
  ): Promise<{ status: string; bytesWritten: number }> {
    const fault = this.begun('control');
    if (fault === 'silence') return never;
    if (fault === 'stall' || !this.gadget.controlOut(setup, data)) return { status: 'stall', bytesWritten: 0 };
    return { status: 'ok', bytesWritten: fault === 'short' ? data.byteLength >> 1 : data.byteLength };
  }

  async transferOut(endpoint: number, data: Uint8Array): Promise<{ status: string; bytesWritten: number }> {
    const fault = this.begun('out');
    if (!this.claimed) throw new Error('transferOut error: Error: LIBUSB_ERROR_BUSY');
    if (fault === 'silence') return never;
    if (fault === 'stall') return { status: 'stall', bytesWritten: 0 };
    const sent =
      fault === 'short' ? data.subarray(0, data.byteLength >> 1) : fault === 'garbage' ? distorted(data, fault) : data;
    const taken = this.gadget.out(endpoint, sent);
    return taken ? { status: 'ok', bytesWritten: sent.byteLength } : { status: 'stall', bytesWritten: 0 };
  }

  async transferIn(endpoint: number, length: number): Promise<{ status: string; data?: DataView }> {
    const fault = this.begun(kinds[endpoint] ?? 'output');
    if (!this.claimed) throw new Error('transferIn error: Error: LIBUSB_ERROR_BUSY');
    if (fault === 'stall') return { status: 'stall' };
    const result = new Promise<{ status: string; data?: DataView }>((resolve, reject) => {
      this.reads.push({ endpoint, silent: fault === 'silence', length, parts: [], resolve, reject });
    });
    this.serveReads();
    const { status, data } = await result;
    return data === undefined
      ? { status }
      : { status, data: viewOf(distorted(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), fault)) };
  }

  async reset(): Promise<void> {
    this.requireOpen();
    this.endReads('LIBUSB_TRANSFER_CANCELLED');
    this.claimed = false;
    const next = this.gadget.reset();
    if (next === this.gadget) return;
    this.plug.became(next);
    throw new Error('reset error: Error: LIBUSB_ERROR_NOT_FOUND');
  }

  /** Unplugged: all pending transfers end. */
  gone(): void {
    this.endReads(noDevice);
  }

  private begun(kind: TransferKind): UsbFault | null {
    this.requireOpen();
    const fault = this.plug.fault(kind);
    if (fault === 'unplug') {
      this.plug.unplug();
      throw new Error(`transfer error: Error: ${noDevice}`);
    }
    return fault;
  }

  private requireOpen(): void {
    this.requireAttached();
    if (!this.opened) throw new Error('The device must be opened first');
  }

  private requireAttached(): void {
    if (!this.plug.attached(this)) throw new Error(`error: Error: ${noDevice}`);
  }

  private endReads(reason: string): void {
    for (const { reject } of this.reads.splice(0)) reject(new Error(`transferIn error: Error: ${reason}`));
  }

  private serveReads(): void {
    for (const read of [...this.reads]) {
      const source = this.gadget.source(read.endpoint);
      if (source === null) return;
      const first = this.reads.find(({ endpoint }) => endpoint === read.endpoint);
      if (first !== read || read.silent) continue;
      let got = read.parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
      for (let packet = source.next(); packet !== undefined; packet = source.next()) {
        got += packet.byteLength;
        read.parts.push(packet);
        if (got > read.length || got === read.length || packet.byteLength < source.packetBytes) {
          this.reads = this.reads.filter((other) => other !== read);
          if (got > read.length) read.resolve({ status: 'babble' });
          else read.resolve({ status: 'ok', data: viewOf(Buffer.concat(read.parts)) });
          break;
        }
      }
    }
  }
}

function distorted(bytes: Uint8Array, fault: UsbFault | null): Uint8Array {
  if (fault === 'short') return bytes.slice(0, bytes.byteLength >> 1);
  return fault === 'garbage' ? bytes.map((byte) => byte ^ 0xa5) : bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
