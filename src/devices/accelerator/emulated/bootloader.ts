// The accelerator without firmware: a DFU interface to the memory of its 8051 (DFU 1.1; libedgetpu,
// driver/usb/usb_dfu_commands.cc).

import type { UsbSetup } from '../../transport/index.js';
import { acceleratorIds } from '../ids.js';
import { shaped, type UsbGadget } from './gadget.js';

const Request = { download: 1, upload: 2, getStatus: 3, clearStatus: 4, getState: 5, abort: 6 } as const;
const State = { idle: 2, downloadSync: 3, downloadIdle: 5, manifestSync: 6, uploadIdle: 9, error: 10 } as const;
const errStalledPacket = 15;
const transferBytes = 0x100;
/** Content of its memory, as reads return it. */
const memoryBytes = 0x8000;
const canDownloadAndUpload = 3;
/** DFU 1.1 functional descriptor: detach within 255 ms. */
const functional = [9, 0x21, canDownloadAndUpload, 0xff, 0x00, transferBytes & 255, transferBytes >> 8, 0x10, 0x01];

export class Bootloader implements UsbGadget {
  readonly vendorId;
  readonly productId;
  readonly configurations;
  readonly descriptors;
  onPackets = (): void => undefined;
  private state: number = State.idle;
  private status = 0;
  private received: Uint8Array[] = [];
  /** The image that was written completely. */
  private firmware: Uint8Array | null = null;

  /** @param started creates the device that runs the firmware; null if the firmware is not accepted */
  constructor(private readonly started: (firmware: Uint8Array) => UsbGadget | null) {
    const { vendor, product } = acceleratorIds.waiting;
    const shape = {
      vendor,
      product,
      usbVersion: 0x0200,
      interfaceClass: 0xfe,
      interfaceSubclass: 1,
      interfaceProtocol: 2,
      endpoints: [],
      extra: functional,
    };
    ({
      vendorId: this.vendorId,
      productId: this.productId,
      configurations: this.configurations,
      descriptors: this.descriptors,
    } = shaped(shape));
  }

  controlOut({ requestType, request, value }: UsbSetup, data: Uint8Array): boolean {
    if (requestType !== 'class') return false;
    switch (request) {
      case Request.download:
        return this.download(value, data);
      case Request.clearStatus:
        this.status = 0;
        this.state = State.idle;
        return true;
      case Request.abort:
        if (this.state === State.error) return false;
        this.state = State.idle;
        return true;
      default:
        return this.refuse();
    }
  }

  controlIn({ requestType, request, value }: UsbSetup, length: number): Uint8Array | null {
    if (requestType === 'standard' && request === 6) return this.descriptors.slice(18, 18 + length);
    if (requestType !== 'class') return null;
    switch (request) {
      case Request.getStatus:
        return this.getStatus().slice(0, length);
      case Request.getState:
        return Uint8Array.of(this.state);
      case Request.upload:
        return this.upload(value, length);
      default:
        this.refuse();
        return null;
    }
  }

  out(): boolean {
    return false;
  }

  source(): null {
    return null;
  }

  reset(): UsbGadget {
    const running = this.firmware === null ? null : this.started(this.firmware);
    this.received = [];
    this.state = State.idle;
    return running ?? this;
  }

  private download(block: number, data: Uint8Array): boolean {
    const first = this.state === State.idle;
    if (
      (!first && this.state !== State.downloadIdle) ||
      data.byteLength > transferBytes ||
      (first && data.byteLength === 0)
    )
      return this.refuse();
    if (first) this.received = [];
    if (data.byteLength === 0) {
      this.firmware = Uint8Array.from(this.received.flatMap((part) => [...part]));
      this.state = State.manifestSync;
      return true;
    }
    if (block !== this.received.length || this.received.length * transferBytes >= memoryBytes) return this.refuse();
    this.received.push(data.slice());
    this.state = State.downloadSync;
    return true;
  }

  private getStatus(): Uint8Array {
    if (this.state === State.downloadSync) this.state = State.downloadIdle;
    if (this.state === State.manifestSync) this.state = State.idle;
    return Uint8Array.of(this.status, 0, 0, 0, this.state, 0);
  }

  private upload(block: number, length: number): Uint8Array | null {
    if (this.state !== State.idle && this.state !== State.uploadIdle) {
      this.refuse();
      return null;
    }
    const memory = new Uint8Array(memoryBytes);
    if (this.firmware !== null) memory.set(this.firmware);
    const given = memory.slice(block * transferBytes, block * transferBytes + Math.min(length, transferBytes));
    this.state = given.byteLength < length ? State.idle : State.uploadIdle;
    return given;
  }

  private refuse(): boolean {
    this.state = State.error;
    this.status = errStalledPacket;
    return false;
  }
}
