// Boards by their USB ids, and proofs of stored files, with devices that answer from a table.

import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../../src/base/hashes.js';
import { attachedUsb, matchPorts, onlyPort, usbOfTarget } from '../../../../src/devices/client/discovery.js';
import { isBeginningOf, proveFile } from '../../../../src/devices/client/file-proof.js';
import type { SmpClient } from '../../../../src/devices/client/smp-client.js';
import { fileCommands } from '../../../../src/devices/protocol/index.js';
import type { SerialPortInfo, UsbDevice } from '../../../../src/devices/transport/index.js';
import { loadTarget, usbIdsOf } from '../../../../src/targets/index.js';

const pico = await loadTarget('pico');
const [id] = usbIdsOf(pico);
if (id === undefined) throw new Error('the target has no USB id');

describe('boards', () => {
  const port = (changes: Partial<SerialPortInfo>): SerialPortInfo =>
    ({
      path: '/dev/ttyACM0',
      vendorId: id.vendor,
      productId: id.product,
      serialNumber: null,
      ...changes,
    }) as SerialPortInfo;
  const device = (changes: Partial<UsbDevice> = {}): UsbDevice =>
    ({ vendorId: id.vendor, productId: id.product, productName: 'Pico', serialNumber: 'A1', ...changes }) as UsbDevice;
  const hex = (value: number): string => value.toString(16).padStart(4, '0');
  const uri = `usb:${hex(id.vendor)}:${hex(id.product)}`;

  test('are ports with the ids of a target, in the state that the id stands for', () => {
    const ports = matchPorts([port({}), port({ productId: id.product + 1 }), port({ vendorId: null })], [pico]);
    expect(ports.map(({ targets }) => targets)).toEqual([[{ id: 'pico', state: id.state }], [], []]);
  });

  test('are USB devices with such ids; a serial number is part of the address', async () => {
    const list = async () => [
      device(),
      device({ serialNumber: '' }),
      device({ serialNumber: undefined, productName: undefined } as unknown as Partial<UsbDevice>),
      device({ vendorId: id.vendor + 1 }),
    ];
    expect(await attachedUsb([pico], list)).toEqual([
      { uri: `${uri}/A1`, name: 'Pico', serialNumber: 'A1', targets: [{ id: 'pico', state: id.state }] },
      { uri, name: 'Pico', serialNumber: null, targets: [{ id: 'pico', state: id.state }] },
      { uri, name: null, serialNumber: null, targets: [{ id: 'pico', state: id.state }] },
    ]);
  });

  test('are used if there is exactly one; otherwise it is an error', async () => {
    expect(await usbOfTarget(pico, async () => [device()])).toBe(`${uri}/A1`);
    await expect(usbOfTarget(pico, async () => [])).rejects.toMatchObject({ code: 'USB_CHOICE', values: { count: 0 } });
    await expect(usbOfTarget(pico, async () => [device(), device({ serialNumber: 'B2' })])).rejects.toMatchObject({
      values: { count: 2, serials: `; attached: ${uri}/A1, ${uri}/B2` },
    });
    const ports = matchPorts([port({}), port({ path: '/dev/ttyACM1', serialNumber: 'C3' })], [pico]);
    expect(onlyPort(ports, 'pico', ({ serialNumber }) => serialNumber === 'C3').path).toBe('/dev/ttyACM1');
    expect(() => onlyPort(ports, 'pico', () => true)).toThrow(
      expect.objectContaining({ values: { count: 2, what: 'pico', ports: ': /dev/ttyACM0, /dev/ttyACM1 (C3)' } }),
    );
    expect(() => onlyPort(ports, 'pico', () => false)).toThrow(
      expect.objectContaining({ values: { count: 0, what: 'pico', ports: '' } }),
    );
  });
});

describe('a stored file', () => {
  const file = Uint8Array.from({ length: 100 }, (_, i) => i);

  /** A device that holds these bytes, offers these hashes, and sends 40 bytes at a time. */
  function holding(stored: Uint8Array, hashes: readonly string[], changes: Record<string, unknown> = {}): SmpClient {
    const refused = { ok: false, status: { name: 'ENOTSUP' } };
    const ask = async (
      command: unknown,
      { type = '', off = 0, len }: { type?: string; off?: number; len?: number },
    ) => {
      if (command === fileCommands.hash) {
        if (!hashes.includes(type)) return refused;
        const part = stored.subarray(0, len);
        return {
          ok: true,
          value: { type, len: part.byteLength, output: type === 'sha256' ? sha256(part) : crc32(part) },
        };
      }
      const data = stored.slice(off, off + 40);
      return { ok: true, value: { off, data, ...(off === 0 ? { len: stored.byteLength } : {}), ...changes } };
    };
    return { ask } as unknown as SmpClient;
  }

  test('is proved by the strongest hash that the device has', async () => {
    expect(await proveFile(holding(file, ['sha256', 'crc32']), '/f', file)).toBe('sha256');
    expect(await proveFile(holding(file, ['crc32']), '/f', file)).toBe('crc32');
    for (const hashes of [['sha256'], ['crc32']]) {
      await expect(proveFile(holding(file.with(7, 0), hashes), '/f', file)).rejects.toMatchObject({
        code: 'PUSH_HASH',
      });
      await expect(proveFile(holding(file.subarray(1), hashes), '/f', file)).rejects.toMatchObject({
        code: 'PUSH_HASH',
        values: { actual: '99 bytes', expected: '100' },
      });
    }
  });

  test('is read back where there is none, to the last byte', async () => {
    const steps: unknown[] = [];
    const onProgress = ({ done, total }: { done: number; total: number | null }) => void steps.push([done, total]);
    expect(await proveFile(holding(file, []), '/f', file, { onProgress })).toBe('read-back');
    expect(steps).toEqual([
      [0, 100],
      [40, 100],
      [80, 100],
      [100, 100],
    ]);
    expect(await proveFile(holding(new Uint8Array(0), []), '/f', new Uint8Array(0))).toBe('read-back');
    await expect(proveFile(holding(file.with(99, 0), []), '/f', file)).rejects.toMatchObject({
      values: { actual: 'different bytes from offset 80 on' },
    });
    for (const [stored, changes] of [
      [file, { off: 1 }],
      [file, { data: new Uint8Array(0) }],
      [file, { len: 101 }],
      [Uint8Array.from([...file, 1]), { len: 100 }],
    ] as const)
      await expect(proveFile(holding(stored, [], changes), '/f', file)).rejects.toMatchObject({ code: 'PUSH_HASH' });
  });

  test('that can be neither hashed nor read is not proved', async () => {
    const ask = async () => ({ ok: false, status: { name: 'ENOTSUP' } });
    await expect(proveFile({ ask } as unknown as SmpClient, '/f', file)).rejects.toMatchObject({
      code: 'PUSH_UNPROVEN',
    });
  });

  test('is the beginning of an image if a hash of as many bytes says so', async () => {
    const client = holding(file.subarray(0, 60), ['sha256']);
    expect(await isBeginningOf(client, '/f', 60, file)).toBe(true);
    expect(await isBeginningOf(client, '/f', 61, file)).toBe(false);
    expect(await isBeginningOf(holding(file.with(3, 9), ['sha256']), '/f', 60, file)).toBe(false);
    // Reading it back would take as long as sending it.
    expect(await isBeginningOf(holding(file, []), '/f', 60, file)).toBe(false);
  });
});
