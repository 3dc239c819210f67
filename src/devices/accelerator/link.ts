// The USB protocol of an accelerator with firmware: registers by control requests, everything else by bulk transfers;
// those to the device are preceded by a header of 8 bytes. Sources: libedgetpu, driver/usb/usb_ml_commands.cc and
// usb_driver.cc (single-endpoint mode).

import { setTimeout as delay } from 'node:timers/promises';
import { AtollError, fail, reasonOf } from '../../base/errors.js';
import type { UsbControlDevice } from '../transport/index.js';
import type { Register } from './registers.js';

/** Tag of a header: the kind of data that follows. */
export const Tag = { instructions: 0, input: 1, parameters: 2 } as const;
/** An event holds address, length and tag of a transfer; tags from this one on are interrupts of the scalar core. */
export const firstInterruptTag = 4;

export const endpoints = { out: 1, output: 1, event: 2, interrupt: 3 } as const;
export const headerBytes = 8;
export const eventBytes = 16;
export const interruptBytes = 4;
export const maxTransferBytes = 2 ** 20;

/** Vendor requests: 64-bit registers, 32-bit registers. */
const registerRequests = { 64: 0, 32: 1 } as const;
/**
 * Maximum number of transfers in flight to the device (beagle_usb_driver_provider.cc: kDefaultUsbMaxNumAsyncTransfers).
 */
const maxTransfersInFlight = process.platform === 'darwin' ? 1 : 3;
/** Value of libedgetpu (USB_TIMEOUT_MILLIS). */
export const usbTimeoutMs = 6000;
/** Factor on the timeout for results of an execution: the chip computes first. */
const computingTimes = 5;
/** At SuperSpeed. Below, outputs come in chunks that are shorter than a packet. */
const superSpeedPacketBytes = 1024;
/** Time for transfers in flight to end when the device is closed. */
const closeTimeoutMs = 1000;
export const fatalErrorBit = 1;
/** Bits from this one on are warnings of the chip's frame. */
const firstWarningBit = 1;
/** An output may end with an empty packet; a second empty packet is an error. */
const maxEmptyReads = 16;

export interface LinkOptions {
  /** Timeout for an answer. */
  readonly timeoutMs?: number;
}

export interface InterruptHandlers {
  /** Reads the cause of a fatal error from the chip. */
  readonly explain: () => Promise<string>;
  /** Clears a warning. @param index from 0 on */
  readonly warned: (index: number) => Promise<void>;
}

/** Every error ends the link: the device must be opened again. */
export class AcceleratorLink {
  private readonly inFlight: Promise<void>[] = [];
  private readonly timeoutMs: number;
  private ended: unknown = null;
  private letting: Promise<void> | null = null;
  /** Pending operations, which end when the interrupt endpoint reports an error. */
  private readonly waiting = new Set<(error: unknown) => void>();

  /** @param device open, with interface 0 claimed */
  constructor(
    readonly name: string,
    private readonly device: UsbControlDevice,
    { timeoutMs = usbTimeoutMs }: LinkOptions = {},
  ) {
    this.timeoutMs = timeoutMs;
  }

  /** Whether an error has ended it. */
  get broken(): boolean {
    return this.ended !== null;
  }

  async read(register: Register): Promise<bigint> {
    const bytes = register.bits / 8;
    const what = `reading register ${register.name}`;
    const { status, data } = await this.within(what, () => this.device.controlTransferIn(setup(register), bytes));
    if (status !== 'ok' || data === undefined) throw await this.failed(what, `the request ended with ${status}`);
    if (data.byteLength !== bytes) throw await this.answered(what, `${data.byteLength} bytes instead of ${bytes}`);
    return register.bits === 64 ? data.getBigUint64(0, true) : BigInt(data.getUint32(0, true));
  }

  async write(register: Register, value: bigint): Promise<void> {
    const bytes = new Uint8Array(register.bits / 8);
    const view = new DataView(bytes.buffer);
    if (register.bits === 64) view.setBigUint64(0, value, true);
    else view.setUint32(0, Number(value), true);
    const what = `writing register ${register.name}`;
    const { status, bytesWritten } = await this.within(what, () =>
      this.device.controlTransferOut(setup(register), bytes),
    );
    if (status !== 'ok' || bytesWritten !== bytes.byteLength)
      throw await this.failed(what, `${bytesWritten} of ${bytes.byteLength} bytes went out (${status})`);
  }

  /**
   * Sends a header and its data. Returns when another transfer may start; errors of transfers in flight are thrown by a
   * later call.
   */
  async send(tag: number, data: Uint8Array, what: string): Promise<void> {
    const header = new Uint8Array(headerBytes);
    new DataView(header.buffer).setUint32(0, data.byteLength, true);
    header[4] = tag;
    await this.transferOut(header, `the header of ${what}`);
    for (let at = 0; at < data.byteLength; at += maxTransferBytes)
      await this.transferOut(data.subarray(at, at + maxTransferBytes), what);
  }

  /** Waits until everything has been sent. */
  async flush(): Promise<void> {
    while (this.inFlight.length > 0) await this.inFlight.shift();
  }

  /** Reads an output of the given length, in one or more transfers. */
  async receive(bytes: number, what: string): Promise<Uint8Array> {
    const received = new Uint8Array(bytes);
    // Read whole packets only: bytes beyond the requested length would be lost.
    const { packetSize } = endpointOf(this.device, 'in', endpoints.output);
    const longest = packetSize < superSpeedPacketBytes ? packetSize : maxTransferBytes;
    let empty = 0;
    for (let at = 0; at < bytes; ) {
      const length = Math.min(longest, Math.ceil((bytes - at) / packetSize) * packetSize);
      const part = await this.transferIn(endpoints.output, length, what);
      empty = part.byteLength === 0 ? empty + 1 : 0;
      if (empty > maxEmptyReads) throw await this.answered(what, `${empty} empty packets, at byte ${at} of ${bytes}`);
      if (at + part.byteLength > bytes)
        throw await this.answered(what, `${at + part.byteLength} bytes instead of ${bytes}`);
      received.set(part, at);
      at += part.byteLength;
    }
    return received;
  }

  /** @param number of the interrupt at the end of the executable */
  async interrupted(number: number): Promise<void> {
    const what = 'the end of the execution';
    const data = await this.transferIn(endpoints.event, eventBytes, what);
    if (data.byteLength !== eventBytes)
      throw await this.answered(what, `an event of ${data.byteLength} bytes instead of ${eventBytes}`);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const tag = view.getUint8(12) & 15;
    if (tag !== firstInterruptTag + number)
      throw await this.answered(what, `an event ${tag} instead of ${firstInterruptTag + number}`);
  }

  /** From now on, an error on the interrupt endpoint ends all pending operations. */
  watch(handlers: InterruptHandlers): void {
    this.interrupt(handlers).catch((error: unknown) => {
      for (const reject of this.waiting) reject(error);
    });
  }

  /** Closes the device; errors of transfers in flight are ignored. */
  async close(): Promise<void> {
    await this.given(fail('DEVICE_CLOSED', { device: this.name, reason: 'it was closed' }));
  }

  private async interrupt({ explain, warned }: InterruptHandlers): Promise<never> {
    const { packetSize } = endpointOf(this.device, 'in', endpoints.interrupt);
    for (;;) {
      const { status, data } = await this.device
        .transferIn(endpoints.interrupt, packetSize)
        .catch(async (error: unknown) => {
          throw await this.failed('an interrupt', reasonOf(error), error);
        });
      if (this.ended !== null) throw this.ended;
      if (status !== 'ok' || data === undefined) throw await this.failed('an interrupt', `it ended with ${status}`);
      if (data.byteLength < interruptBytes)
        throw await this.answered('an interrupt', `${data.byteLength} bytes instead of ${interruptBytes}`);
      const word = data.getUint32(0, true);
      if ((word & fatalErrorBit) !== 0) throw await this.died(explain);
      for (let bit = firstWarningBit; bit < 32; bit++)
        if (((word >>> bit) & 1) === 1) await warned(bit - firstWarningBit);
    }
  }

  /** Even if reading the cause fails. */
  private async died(explain: () => Promise<string>): Promise<unknown> {
    const reason = await explain().catch((error: unknown) => `the cause could not be read: ${reasonOf(error)}`);
    // A failure to read the cause is not the cause.
    this.ended = null;
    return this.given(fail('EDGETPU_FATAL', { device: this.name, reason }));
  }

  private async transferOut(bytes: Uint8Array, what: string): Promise<void> {
    if (this.inFlight.length >= maxTransfersInFlight) await this.inFlight.shift();
    const sending = this.within(what, () =>
      this.device.transferOut(endpoints.out, bytes as Uint8Array<ArrayBuffer>),
    ).then(async ({ status, bytesWritten }) => {
      if (status !== 'ok' || bytesWritten !== bytes.byteLength)
        throw await this.failed(what, `${bytesWritten} of ${bytes.byteLength} bytes went out (${status})`);
    });
    // Awaited later, in order.
    sending.catch(() => undefined);
    this.inFlight.push(sending);
  }

  private async transferIn(endpoint: number, length: number, what: string): Promise<Uint8Array> {
    const { status, data } = await this.within(
      what,
      () => this.device.transferIn(endpoint, length),
      computingTimes * this.timeoutMs,
    );
    if (status !== 'ok' || data === undefined) throw await this.failed(what, `a read ended with ${status}`);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }

  /** @param transfer not started if the link has ended */
  private async within<Result>(what: string, transfer: () => Promise<Result>, ms = this.timeoutMs): Promise<Result> {
    if (this.ended !== null) throw this.ended;
    let timer: NodeJS.Timeout | undefined;
    let reject: (error: unknown) => void = () => undefined;
    const otherwise = new Promise<never>((_, rejectIt) => {
      reject = rejectIt;
      timer = setTimeout(() => reject(fail('EDGETPU_SILENT', { device: this.name, what, ms })), ms);
      this.waiting.add(reject);
    });
    try {
      return await Promise.race([transfer(), otherwise]);
    } catch (error) {
      throw await (error instanceof AtollError ? this.given(error) : this.failed(what, reasonOf(error), error));
    } finally {
      clearTimeout(timer);
      this.waiting.delete(reject);
    }
  }

  private async answered(what: string, reason: string): Promise<unknown> {
    return this.given(fail('EDGETPU_ANSWER', { device: this.name, what, reason }));
  }

  private async failed(what: string, reason: string, cause?: unknown): Promise<unknown> {
    const gone = /NO_DEVICE|LIBUSB_ERROR_NOT_FOUND|disconnected/i.test(reason);
    return this.given(
      gone
        ? fail('DEVICE_CLOSED', { device: this.name, reason: `${reason}, at ${what}` }, cause)
        : fail('EDGETPU_TRANSFER', { device: this.name, what, reason }, cause),
    );
  }

  /** Keeps the first error for all later calls, and closes the device so that nothing waits for it. */
  private async given(error: unknown): Promise<unknown> {
    this.ended ??= error;
    const { ended } = this;
    // Only once: later, another process may have opened the device.
    this.letting ??= letGo(this.device);
    await this.letting;
    return ended;
  }
}

/** Releasing the interface ends its transfers; if not, a reset does. */
async function letGo(device: UsbControlDevice): Promise<void> {
  const soon = <Result>(work: Promise<Result>): Promise<unknown> =>
    Promise.race([work.catch(() => undefined), delay(closeTimeoutMs, undefined, { ref: false })]);
  await soon(device.releaseInterface(0));
  const closed = await device.close().then(
    () => true,
    () => false,
  );
  if (closed) return;
  await soon(device.reset());
  await soon(device.close());
}

function endpointOf(
  device: UsbControlDevice,
  direction: 'in' | 'out',
  number: number,
): { readonly packetSize: number } {
  const all = device.configurations.flatMap(({ interfaces }) =>
    interfaces.flatMap(({ alternate }) => alternate.endpoints),
  );
  return (
    all.find((endpoint) => endpoint.direction === direction && endpoint.endpointNumber === number) ?? {
      packetSize: 1024,
    }
  );
}

function setup({ at, bits }: Register) {
  return {
    requestType: 'vendor',
    recipient: 'device',
    request: registerRequests[bits],
    value: at & 0xffff,
    index: at >>> 16,
  } as const;
}
