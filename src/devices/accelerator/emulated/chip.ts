// The accelerator with firmware: registers behind control requests, one endpoint for all messages with headers, and
// three endpoints for outputs, events and interrupts (libedgetpu, driver/usb/usb_ml_commands.h).

import type { UsbSetup } from '../../transport/index.js';
import { acceleratorIds } from '../ids.js';
import {
  endpoints,
  eventBytes,
  firstInterruptTag,
  headerBytes,
  interruptBytes,
  maxTransferBytes,
  Tag,
} from '../link.js';
import { registers } from '../registers.js';
import { type PacketSource, shaped, type UsbGadget } from './gadget.js';
import { Machine, Refusal } from './machine.js';
import { RegisterFile } from './register-file.js';
import type { EmulatedProgram } from './twin.js';

export interface ChipOptions {
  /** Packets of 1024 bytes, or of 512 as on a USB 2 port. */
  readonly superSpeed?: boolean;
}

const hotBit = 1 << 4;
const knownTags: ReadonlySet<number> = new Set(Object.values(Tag));
/** Bits of hib_error_status for USB errors; which ones a real chip sets is not known. */
const protocolError = 1n << 13n;

export class Chip implements UsbGadget {
  readonly vendorId;
  readonly productId;
  readonly configurations;
  readonly descriptors;
  onPackets = (): void => undefined;
  private registerFile = new RegisterFile();
  private machine: Machine;
  private readonly queues = new Map<number, Uint8Array[]>();
  private readonly packetBytes: number;
  /** The message being received. */
  private message: { readonly tag: number; readonly data: Uint8Array; filled: number } | null = null;
  /** Why it stopped, for tests; null while it runs. */
  refusal: string | null = null;

  constructor(
    private readonly programs: readonly EmulatedProgram[],
    { superSpeed = true }: ChipOptions = {},
  ) {
    this.packetBytes = superSpeed ? 1024 : 512;
    const { vendor, product } = acceleratorIds.running;
    const bulk = (direction: 'in' | 'out', number: number) =>
      ({ direction, number, type: 'bulk', packetBytes: this.packetBytes }) as const;
    ({
      vendorId: this.vendorId,
      productId: this.productId,
      configurations: this.configurations,
      descriptors: this.descriptors,
    } = shaped({
      vendor,
      product,
      usbVersion: superSpeed ? 0x0310 : 0x0210,
      interfaceClass: 0xff,
      interfaceSubclass: 0xff,
      interfaceProtocol: 0xff,
      endpoints: [
        ...[1, 2, 3].map((number) => bulk('out', number)),
        ...[bulk('in', endpoints.output), bulk('in', endpoints.event)],
        { direction: 'in', number: endpoints.interrupt, type: 'interrupt', packetBytes: 64 },
      ],
      extra: [],
    }));
    this.machine = this.fresh();
  }

  /** Milliseconds of simulation, which a real chip would do in its own time. */
  get computedMs(): number {
    return this.machine.computedMs;
  }

  /** Milliseconds of memoized simulation, which took no time. */
  get rememberedMs(): number {
    return this.machine.rememberedMs;
  }

  controlIn({ requestType, request, value, index }: UsbSetup, length: number): Uint8Array | null {
    if (requestType === 'standard' && request === 6) return this.descriptors.slice(18, 18 + length);
    const bits = bitsOf(requestType, request);
    if (bits === null || length !== bits / 8) return null;
    const content = this.registerFile.read(value | (index << 16), bits);
    if (content === null) return null;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, content, true);
    return bytes.slice(0, length);
  }

  controlOut({ requestType, request, value, index }: UsbSetup, data: Uint8Array): boolean {
    const bits = bitsOf(requestType, request);
    if (bits === null || data.byteLength !== bits / 8) return false;
    const content = data.reduce((sum, byte, i) => sum | (BigInt(byte) << BigInt(8 * i)), 0n);
    return this.registerFile.write(value | (index << 16), bits, content);
  }

  out(endpoint: number, data: Uint8Array): boolean {
    if (endpoint !== endpoints.out || data.byteLength > maxTransferBytes) return false;
    const { hindrance } = this.registerFile;
    if (hindrance !== null) return this.stop(hindrance);
    if (this.message === null) return this.begin(data);
    const { message } = this;
    if (message.filled + data.byteLength > message.data.byteLength)
      return this.stop(`more than the ${message.data.byteLength} bytes that the header says`);
    message.data.set(data, message.filled);
    message.filled += data.byteLength;
    if (message.filled < message.data.byteLength) return true;
    this.message = null;
    try {
      this.machine.received(message.tag, message.data);
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.stop(error.message);
    }
  }

  source(endpoint: number): PacketSource | null {
    const known: readonly number[] = [endpoints.output, endpoints.event, endpoints.interrupt];
    return known.includes(endpoint)
      ? { packetBytes: this.packetBytes, next: () => this.queues.get(endpoint)?.shift() }
      : null;
  }

  /** Simulates overheating, which it reports. */
  heat(): void {
    this.registerFile.hot();
    this.send(endpoints.interrupt, Uint8Array.of(hotBit, 0, 0, 0));
  }

  /** Whether it is overheated and the warning was not cleared. */
  get isHot(): boolean {
    return this.registerFile.isHot;
  }

  /** Firmware survives a bus reset; transfers in flight and cached parameters are lost. */
  reset(): UsbGadget {
    this.registerFile = new RegisterFile();
    this.queues.clear();
    this.message = null;
    this.refusal = null;
    const { computedMs, rememberedMs } = this.machine;
    this.machine = Object.assign(this.fresh(), { computedMs, rememberedMs });
    return this;
  }

  private fresh(): Machine {
    return new Machine(this.programs, {
      output: (bytes) => this.sendOutput(bytes),
      interrupt: (number) => {
        const event = new Uint8Array(eventBytes);
        event[12] = firstInterruptTag + number;
        this.send(endpoints.event, event);
      },
    });
  }

  private begin(header: Uint8Array): boolean {
    const length =
      header.byteLength === headerBytes ? new DataView(header.buffer, header.byteOffset).getUint32(0, true) : 0;
    const tag = header[4] ?? -1;
    if (
      header.byteLength !== headerBytes ||
      length === 0 ||
      !knownTags.has(tag) ||
      header.subarray(5).some((byte) => byte !== 0)
    )
      return this.stop(
        `${header.byteLength} bytes that are not a header: ` +
          `${Buffer.from(header.subarray(0, headerBytes)).toString('hex')}`,
      );
    this.message = { tag, data: new Uint8Array(length), filled: 0 };
    return true;
  }

  /** In chunks of the configured length, each in packets; a chunk shorter than a packet ends a read. */
  private sendOutput(bytes: Uint8Array): void {
    const piece = 8 * Number(this.registerFile.get(registers.outfeedChunkLength) ?? 0n);
    for (let at = 0; at < bytes.byteLength; at += piece) {
      const part = bytes.subarray(at, Math.min(bytes.byteLength, at + piece));
      for (let from = 0; from < part.byteLength; from += this.packetBytes)
        this.send(endpoints.output, part.subarray(from, from + this.packetBytes));
    }
  }

  private send(endpoint: number, packet: Uint8Array): void {
    const queue = this.queues.get(endpoint) ?? [];
    queue.push(packet);
    this.queues.set(endpoint, queue);
    this.onPackets();
  }

  /** Stops accepting data and reports it. */
  private stop(reason: string): boolean {
    this.refusal ??= reason;
    this.registerFile.fatal(protocolError);
    if (this.registerFile.get(registers.fatalErrorControl) === 1n) {
      const interrupt = new Uint8Array(interruptBytes);
      interrupt[0] = 1;
      this.send(endpoints.interrupt, interrupt);
    }
    return false;
  }
}

function bitsOf(requestType: UsbSetup['requestType'], request: number): 32 | 64 | null {
  if (requestType !== 'vendor') return null;
  return request === 1 ? 32 : request === 0 ? 64 : null;
}
