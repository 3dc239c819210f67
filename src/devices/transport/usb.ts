// USB: one packet per bulk transfer, on the first vendor-specific interface with bulk endpoints in both directions. A
// transfer that fills its last USB packet is followed by an empty one.

import { setTimeout as delay } from 'node:timers/promises';
import { AtollError, fail, reasonOf } from '../../base/errors.js';
import { encodePacket, encodePayload, maxPacketBytes, Op, osCommands, RawDecoder } from '../protocol/index.js';
import type { DeviceAddress } from './address.js';
import { EndingTransport } from './ending.js';
import { plainLine, type Transport } from './transport.js';
import type { UsbControlDevice, UsbDevice, UsbEndpoint } from './usb-device.js';

const vendorSpecific = 0xff;
/** Time to wait for a pending read when closing. */
const closeTimeoutMs = 300;
const maxStalls = 3;

interface BulkPair {
  readonly interfaceNumber: number;
  readonly configurationValue: number;
  readonly input: UsbEndpoint;
  readonly output: UsbEndpoint;
}

class UsbTransport extends EndingTransport {
  readonly line = plainLine;
  /** Number of expected responses. */
  private expected = 0;
  private reading: Promise<void> | null = null;
  private stalls = 0;
  private readonly decoder: RawDecoder;
  private readonly readBytes: number;

  constructor(
    name: string,
    private readonly device: UsbDevice,
    private readonly endpoints: BulkPair,
  ) {
    super(name);
    this.decoder = new RawDecoder({ onPacket: (packet) => this.receive(packet) }, maxPacketBytes);
    const { packetSize } = endpoints.input;
    this.readBytes = Math.ceil((maxPacketBytes + 1) / packetSize) * packetSize;
  }

  protected async write(packet: Uint8Array): Promise<void> {
    this.expected += 1;
    try {
      await this.transferOut(packet);
      if (packet.byteLength % this.endpoints.output.packetSize === 0) await this.transferOut(new Uint8Array(0));
      this.reading ??= this.read();
    } catch (error) {
      await this.end(reasonOf(error));
    }
  }

  override async close(): Promise<void> {
    if (this.open && this.reading !== null) await this.provokeAnswer();
    await super.close();
  }

  private async transferOut(bytes: Uint8Array): Promise<void> {
    const { endpointNumber } = this.endpoints.output;
    const { status, bytesWritten } = await this.device.transferOut(endpointNumber, new Uint8Array(bytes));
    if (status === 'ok' && bytesWritten === bytes.byteLength) return;
    if (status === 'stall') await this.device.clearHalt('out', endpointNumber);
    else throw new Error(`${bytesWritten} of ${bytes.byteLength} bytes went out (${status})`);
  }

  /** Reads only while responses are expected: a read without data cannot be cancelled. */
  private async read(): Promise<void> {
    const { endpointNumber } = this.endpoints.input;
    try {
      while (this.open && this.expected > 0) {
        const { status, data } = await this.device.transferIn(endpointNumber, this.readBytes);
        if (status === 'stall') {
          this.stalls += 1;
          if (this.stalls > maxStalls) throw new Error('the device stalls repeatedly');
          await this.device.clearHalt('in', endpointNumber);
        } else if (status !== 'ok') throw new Error(`a read ended with ${status}`);
        else if (data !== undefined) {
          this.stalls = 0;
          this.decoder.add(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        }
      }
    } catch (error) {
      await this.end(reasonOf(error));
    } finally {
      this.reading = null;
    }
  }

  private receive(packet: Uint8Array): void {
    this.expected = Math.max(0, this.expected - 1);
    this.onPacket?.(packet);
  }

  /** A read still waits for a lost response: an echo ends it. */
  private async provokeAnswer(): Promise<void> {
    this.expected = 1;
    const { group, id } = osCommands.echo;
    const echo = encodePacket({
      version: 1,
      op: Op.write,
      group,
      sequence: 0,
      command: id,
      payload: encodePayload({ d: '' }),
    });
    await Promise.race([this.transferOut(echo).then(() => this.reading), delay(closeTimeoutMs)]).catch(() => undefined);
  }

  protected async release(): Promise<void> {
    // A device that is gone cannot be closed.
    await this.device.close().catch(() => undefined);
  }
}

/** USB devices of this machine. @throws USB_UNAVAILABLE */
export async function usbDevices(): Promise<UsbControlDevice[]> {
  try {
    const { WebUSB } = await import('usb');
    return (await new WebUSB({ allowAllDevices: true }).getDevices()) as unknown as UsbControlDevice[];
  } catch (error) {
    throw fail('USB_UNAVAILABLE', { reason: reasonOf(error) }, error);
  }
}

/** @param address VID:PID in hexadecimal, and /SERIAL if several are attached. @throws USB_* */
export async function openUsb(
  address: DeviceAddress,
  devices: () => Promise<readonly UsbDevice[]> = usbDevices,
): Promise<Transport> {
  const { uri, place } = address;
  const wanted = /^(?<vendor>[0-9a-f]{1,4}):(?<product>[0-9a-f]{1,4})(?:\/(?<serial>.+))?$/i.exec(place)?.groups;
  if (wanted === undefined)
    throw fail('DEVICE_UNKNOWN', {
      device: uri,
      reason: `${place === '' ? 'an empty address' : place} is not VID:PID[/SERIAL], for example usb:2e8a:000a`,
    });
  const [vendorId, productId] = [wanted.vendor, wanted.product].map((text) => Number.parseInt(text ?? '', 16));
  const has = (device: UsbDevice): boolean => device.vendorId === vendorId && device.productId === productId;
  return connectUsb(uri, onlyUsb(await devices(), has, wanted.serial, place));
}

/**
 * The only device of a kind.
 * @param what for messages
 * @throws USB_CHOICE if none or several are attached: nothing is guessed
 */
export function onlyUsb<Device extends UsbDevice>(
  devices: readonly Device[],
  matches: (device: Device) => boolean,
  serial: string | undefined,
  what: string,
): Device {
  const found = devices.filter(matches);
  const matching = serial === undefined ? found : found.filter(({ serialNumber }) => serialNumber === serial);
  const [device] = matching;
  if (device !== undefined && matching.length === 1) return device;
  const serials = found.map(({ serialNumber }) => serialNumber ?? 'without serial number').join(', ');
  throw fail('USB_CHOICE', {
    count: matching.length,
    what,
    serials: serials === '' ? '' : `; attached: ${serials}`,
  });
}

/** @throws USB_NO_INTERFACE, USB_PERMISSION, USB_BUSY, DEVICE_UNREACHABLE */
export async function connectUsb(uri: string, device: UsbDevice): Promise<Transport> {
  try {
    if (!device.opened) await device.open();
    const endpoints = bulkPairOf(device);
    if (endpoints === null) throw fail('USB_NO_INTERFACE', { device: uri });
    if (device.configuration?.configurationValue !== endpoints.configurationValue)
      await device.selectConfiguration(endpoints.configurationValue);
    await device.claimInterface(endpoints.interfaceNumber);
    return new UsbTransport(uri, device, endpoints);
  } catch (error) {
    await device.close().catch(() => undefined);
    throw usbError(uri, error);
  }
}

function bulkPairOf(device: UsbDevice): BulkPair | null {
  for (const { configurationValue, interfaces } of device.configurations) {
    for (const { interfaceNumber, alternate } of interfaces) {
      if (alternate.interfaceClass !== vendorSpecific) continue;
      const bulk = (wanted: 'in' | 'out') =>
        alternate.endpoints.find(({ direction, type }) => direction === wanted && type === 'bulk');
      const [input, output] = [bulk('in'), bulk('out')];
      if (input !== undefined && output !== undefined) return { configurationValue, interfaceNumber, input, output };
    }
  }
  return null;
}

/** Converts errors of opening a device: the package's texts contain libusb's error names. */
export function usbError(uri: string, error: unknown): unknown {
  if (error instanceof AtollError) return error;
  const reason = reasonOf(error);
  if (/LIBUSB_ERROR_ACCESS/.test(reason)) return fail('USB_PERMISSION', { device: uri }, error);
  if (/LIBUSB_ERROR_BUSY/.test(reason)) return fail('USB_BUSY', { device: uri }, error);
  return fail('DEVICE_UNREACHABLE', { device: uri, reason }, error);
}
