// A USB device in this process, with the part of WebUSB that the transport uses: packets of the bus, transfers that end
// at a short one, stalls, and a plug that can be pulled.

import type { SimulatedDevice } from '../../src/devices/simulated/index.js';
import type { UsbDevice } from '../../src/devices/transport/index.js';

export interface FakeUsbOptions {
  readonly packetSize?: number;
  readonly serialNumber?: string;
  readonly ids?: readonly [vendor: number, product: number];
  /** The plug is pulled at this transfer. */
  readonly unplugAt?: number;
  /** These reads stall. */
  readonly stallReads?: readonly number[];
  /** What is sent instead of an answer. */
  readonly garble?: (answer: Uint8Array) => Uint8Array;
  /** Ends no transfer that fills its last packet with an empty one, as careless firmware does. */
  readonly endsNothing?: boolean;
}

export class FakeUsb implements UsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber: string | undefined;
  readonly productName = 'fake';
  opened = false;
  claimed: number | null = null;
  halted = 0;
  transfers = 0;
  configuration: UsbDevice['configuration'] = null;
  readonly configurations: UsbDevice['configurations'];
  private readonly packetSize: number;
  /** Packets on their way in; an empty one ends a transfer. */
  private readonly incoming: Uint8Array[] = [];
  private received = new Uint8Array(0);
  private wake: (() => void) | null = null;
  private reads = 0;

  constructor(
    private readonly device: SimulatedDevice,
    private readonly options: FakeUsbOptions = {},
  ) {
    [this.vendorId, this.productId] = options.ids ?? [0x2e8a, 0x000a];
    this.serialNumber = options.serialNumber;
    this.packetSize = options.packetSize ?? 64;
    const bulk = (direction: 'in' | 'out', endpointNumber: number) => ({
      direction,
      endpointNumber,
      type: 'bulk',
      packetSize: this.packetSize,
    });
    const serial = {
      interfaceNumber: 0,
      alternate: { interfaceClass: 0x0a, endpoints: [bulk('in', 1), bulk('out', 1)] },
    };
    const ours = {
      interfaceNumber: 1,
      alternate: { interfaceClass: 0xff, endpoints: [bulk('in', 2), bulk('out', 3)] },
    };
    this.configurations = [{ configurationValue: 1, interfaces: [serial, ours] }];
  }

  async open(): Promise<void> {
    this.opened = true;
  }

  async close(): Promise<void> {
    this.opened = false;
    this.wake?.();
  }

  async selectConfiguration(value: number): Promise<void> {
    this.configuration = this.configurations.find(({ configurationValue }) => configurationValue === value);
  }

  async claimInterface(number: number): Promise<void> {
    this.claimed = number;
  }

  async clearHalt(): Promise<void> {
    this.halted += 1;
  }

  async transferOut(endpoint: number, data: Uint8Array): Promise<{ status: string; bytesWritten: number }> {
    if (endpoint !== 3) throw new Error('no such endpoint');
    this.count();
    const whole = new Uint8Array(this.received.byteLength + data.byteLength);
    whole.set(this.received);
    whole.set(data, this.received.byteLength);
    this.received = whole;
    // A short packet ends the transfer.
    if (data.byteLength % this.packetSize !== 0 || data.byteLength === 0) {
      const request = this.received;
      this.received = new Uint8Array(0);
      const answer = await this.device.answer(request);
      if (answer !== null) this.queue(this.options.garble?.(answer) ?? answer);
    }
    return { status: 'ok', bytesWritten: data.byteLength };
  }

  async transferIn(endpoint: number, length: number): Promise<{ status: string; data?: DataView }> {
    if (endpoint !== 2 || length % this.packetSize !== 0) throw new Error('a read that could babble');
    this.count();
    this.reads += 1;
    if (this.options.stallReads?.includes(this.reads) === true) return { status: 'stall' };
    const parts: Uint8Array[] = [];
    for (;;) {
      while (this.incoming.length === 0) {
        if (!this.opened) throw new Error('LIBUSB_TRANSFER_CANCELLED');
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      const part = this.incoming.shift() as Uint8Array;
      parts.push(part);
      if (part.byteLength < this.packetSize) break;
    }
    const data = Buffer.concat(parts);
    return { status: 'ok', data: new DataView(data.buffer, data.byteOffset, data.byteLength) };
  }

  private queue(answer: Uint8Array): void {
    for (let at = 0; at < answer.byteLength; at += this.packetSize)
      this.incoming.push(answer.subarray(at, at + this.packetSize));
    if (answer.byteLength % this.packetSize === 0 && this.options.endsNothing !== true)
      this.incoming.push(new Uint8Array(0));
    this.wake?.();
  }

  private count(): void {
    this.transfers += 1;
    if (this.transfers >= (this.options.unplugAt ?? Infinity)) throw new Error('LIBUSB_ERROR_NO_DEVICE');
  }
}
