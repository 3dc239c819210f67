// A serial port, with SMP's console framing, or with raw packets as in Zephyr's raw UART transport.

import { access } from 'node:fs/promises';
import { fail, reasonOf } from '../../base/errors.js';
import { baudOf, choiceOf, type DeviceAddress } from './address.js';
import { bitsPerByte } from './paced.js';
import { framings, StreamTransport } from './stream.js';
import type { Transport } from './transport.js';

const defaultBaud = 115_200;
/**
 * Interval for checking that the port still exists: a reader is not notified when the far end vanishes during a
 * transfer.
 */
const watchMs = 500;

export interface SerialPortInfo {
  readonly path: string;
  readonly manufacturer: string | null;
  readonly serialNumber: string | null;
  readonly vendorId: number | null;
  readonly productId: number | null;
}

/** Serial ports of this machine. @throws SERIAL_LIST if the system cannot list them */
export async function serialPorts(): Promise<SerialPortInfo[]> {
  const { SerialPort } = await import('serialport');
  const found = await SerialPort.list().catch((error: unknown) => {
    const udev = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw fail(
      'SERIAL_LIST',
      { reason: udev ? 'it needs the program udevadm (Debian package udev)' : reasonOf(error) },
      error,
    );
  });
  return found.map(({ path, manufacturer, serialNumber, vendorId, productId }) => ({
    path,
    manufacturer: manufacturer ?? null,
    serialNumber: serialNumber ?? null,
    vendorId: vendorId === undefined ? null : Number.parseInt(vendorId, 16),
    productId: productId === undefined ? null : Number.parseInt(productId, 16),
  }));
}

/**
 * @param address the port's path, with the options baud, framing (console or raw), dtr and rts (on or off; by default
 * as the system opens the port)
 * @throws SERIAL_NOT_FOUND, SERIAL_PERMISSION, SERIAL_BUSY, DEVICE_UNREACHABLE
 */
export async function openSerial(address: DeviceAddress): Promise<Transport> {
  const { SerialPort } = await import('serialport');
  const { uri, place: path } = address;
  const baudRate = baudOf(address, defaultBaud);
  const lines = linesOf(address);
  const port = new SerialPort({ path, baudRate, autoOpen: false });
  await new Promise<void>((resolve, reject) =>
    port.open((error) => (error === null ? resolve() : reject(openError(uri, path, error)))),
  );
  if (Object.keys(lines).length > 0) {
    // A pseudo-terminal has no such lines and reports that.
    await new Promise<void>((resolve) => port.set(lines, () => resolve()));
  }
  const watch = setInterval(
    () => void access(path).catch(() => transport.end('the port is gone: unplugged, or reset')),
    watchMs,
  );
  watch.unref();
  const release = async (): Promise<void> => {
    clearInterval(watch);
    if (port.isOpen) await new Promise<void>((resolve) => port.close(() => resolve()));
  };
  const framing = framings[choiceOf(address, 'framing', ['console', 'raw'])];
  const transport = new StreamTransport(uri, port, framing, release, baudRate / bitsPerByte);
  return transport;
}

function linesOf(address: DeviceAddress): { dtr?: boolean; rts?: boolean } {
  const lines: { dtr?: boolean; rts?: boolean } = {};
  for (const name of ['dtr', 'rts'] as const) {
    const state = choiceOf(address, name, ['as-is', 'on', 'off']);
    if (state !== 'as-is') lines[name] = state === 'on';
  }
  return lines;
}

/** The binding's errors have the system's texts and no codes. */
function openError(uri: string, path: string, error: Error): Error {
  const reason = error.message;
  if (/no such file|ENOENT|File not found/i.test(reason)) return fail('SERIAL_NOT_FOUND', { path }, error);
  if (/permission|EACCES|access denied/i.test(reason)) return fail('SERIAL_PERMISSION', { path }, error);
  if (/lock|busy|EBUSY|temporarily unavailable/i.test(reason)) return fail('SERIAL_BUSY', { path }, error);
  return fail('DEVICE_UNREACHABLE', { device: uri, reason }, error);
}
