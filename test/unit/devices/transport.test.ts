// Transports towards simulated devices: TCP with both framings, UDP, pseudo-terminals; and what stands in their way.

import dgram from 'node:dgram';
import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { doctor, udevRules } from '../../../src/app/doctor.js';
import { matchPorts, onlyPort, SmpClient } from '../../../src/devices/client/index.js';
import { openDevice } from '../../../src/devices/open-device.js';
import { atollCommands, encodePacket, encodePayload, Op } from '../../../src/devices/protocol/index.js';
import { SimulatedDevice } from '../../../src/devices/simulated/index.js';
import {
  type Listener,
  listen,
  openTransport,
  parseAddress,
  type SerialPortInfo,
} from '../../../src/devices/transport/index.js';
import { loadTarget } from '../../../src/targets/index.js';
import { toolTest } from '../../support/tools.js';

const target = await loadTarget('pico');
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(where: string): Promise<Listener> {
  const device = new SimulatedDevice(target);
  const listener = await listen(where, (transport) => device.serve(transport));
  closers.push(() => listener.close());
  return listener;
}

const retries = { timeoutMs: 100, attempts: 2 };

test.each(['udp:no-such-host.invalid', 'tcp:no-such-host.invalid:1337'])(
  '%s, a name that does not resolve',
  async (uri) => {
    await expect(openTransport(uri)).rejects.toMatchObject({ code: 'DEVICE_UNREACHABLE' });
  },
);

async function answersSeveral(where: string): Promise<void> {
  const { uri } = await serve(where);
  for (let i = 0; i < 3; i++) {
    const device = await openDevice(uri, { retries });
    closers.push(() => device.close());
    expect(await device.describe()).toMatchObject({
      target: 'pico',
      slots: 2,
      features: ['infer', 'profile', 'stats', 'stream'],
    });
  }
}

test.each(['tcp:0', 'tcp:127.0.0.1:0', 'udp:0'])('a device at %s answers several clients', answersSeveral);
toolTest('ipv6').each(['tcp:[::1]:0', 'udp:[::1]:0'])('a device at %s answers several clients', answersSeveral);

test('a listening device takes both framings', async () => {
  const { uri } = await serve('tcp:0');
  const device = await openDevice(`${uri}?framing=console`, { retries });
  expect(await device.echo('hello')).toBeGreaterThanOrEqual(0);
  await device.close();
  await expect(device.describe()).rejects.toThrow(/has ended: it was closed here/);
});

toolTest('socat')('a pseudo-terminal can be closed and opened again, and says when it is gone', async () => {
  const listener = await serve('pty');
  for (let i = 0; i < 2; i++) {
    const device = await openDevice(listener.uri, { retries: { timeoutMs: 1000, attempts: 3 } });
    expect(await device.describe()).toMatchObject({ target: 'pico' });
    await device.close();
    await device.close();
  }
  const device = await openDevice(listener.uri, { retries: { timeoutMs: 3000, attempts: 3 } });
  expect((await device.slots()).length).toBe(2);
  await listener.close();
  await expect(device.describe()).rejects.toThrow(expect.objectContaining({ code: 'DEVICE_CLOSED' }));
});

toolTest('socat')('a port that another program holds', async () => {
  const { uri } = await serve('pty');
  const first = await openTransport(uri);
  await expect(openTransport(uri)).rejects.toThrow(expect.objectContaining({ code: 'SERIAL_BUSY' }));
  await first.close();
});

test('a device that cannot be opened gives the reason', async () => {
  const code = (uri: string) => openTransport(uri).then(String, (error: { code: string }) => error.code);
  expect(await code('serial:/dev/ttyNOTHING')).toBe('SERIAL_NOT_FOUND');
  expect(await code('serial:/dev/ttyS0?baud=fast')).toBe('DEVICE_UNKNOWN');
  expect(await code('serial:/dev/ttyS0?speed=1')).toBe('DEVICE_UNKNOWN');
  expect(await code('tcp:127.0.0.1:99999')).toBe('DEVICE_UNKNOWN');
  expect(await code('tcp:')).toBe('DEVICE_UNKNOWN');
  expect(await code('smoke:signals')).toBe('DEVICE_UNKNOWN');
  const free = net.createServer().listen(0);
  const { port } = free.address() as net.AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  expect(await code(`tcp:127.0.0.1:${port}`)).toBe('DEVICE_UNREACHABLE');
  await expect(listen('tcp:203.0.113.1:1', () => undefined)).rejects.toThrow(
    expect.objectContaining({ code: 'LISTEN' }),
  );
  expect(parseAddress('tcp:1', { tcp: [] }).place).toBe('1');
});

test('a UDP port where nobody listens closes the connection instead of timing out', async () => {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  const device = await openDevice(`udp:127.0.0.1:${port}`, { retries });
  await expect(device.describe()).rejects.toThrow(/ECONNREFUSED/);
});

describe('a peer that sends garbage', () => {
  test.each([
    ['endless bytes', () => Buffer.alloc(60_000, 0x55)],
    ['a packet that announces more than comes', () => Buffer.from('0900ffff41540100', 'hex')],
    ['packets that nobody asked for', () => Buffer.from('0900000141540100a0'.repeat(500), 'hex')],
    ['CBOR of depth', () => Buffer.concat([Buffer.from('09004e2041540100', 'hex'), Buffer.alloc(20_000, 0x81)])],
    ['a map of four billion entries', () => Buffer.from('0900000541540100baffffffff', 'hex')],
  ])('%s', async (_, garbage) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      // Answers every request with it, under every sequence number.
      socket.on('data', (request: Buffer) => {
        const answer = garbage();
        if (answer.byteLength > 8 && answer[0] === 9) answer[6] = request[6] as number;
        socket.write(answer);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const device = await openDevice(`tcp:127.0.0.1:${(server.address() as net.AddressInfo).port}`, { retries });
    await expect(device.describe()).rejects.toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(DEVICE_TIMEOUT|CBOR_MALFORMED|DEVICE_ANSWER)$/) }),
    );
    await device.close();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('discovery', () => {
  const port = (path: string, vendorId: number | null, productId: number | null): SerialPortInfo => ({
    path,
    manufacturer: null,
    serialNumber: null,
    vendorId,
    productId,
  });

  test('ports are known by their USB ids; nothing is guessed where several match', async () => {
    const nano = await loadTarget('nano33ble');
    const ports = matchPorts(
      [port('/dev/ttyS0', null, null), port('/dev/ttyACM0', 0x2341, 0x805a), port('/dev/ttyACM1', 0x2341, 0x005a)],
      [nano],
    );
    expect(ports.map(({ targets }) => targets)).toEqual([
      [],
      [{ id: 'nano33ble', state: 'running' }],
      [{ id: 'nano33ble', state: 'bootloader' }],
    ]);
    expect(() => onlyPort(ports, 'nano33ble', ({ targets }) => targets.length > 0)).toThrow(
      /2 serial ports match nano33ble: \/dev\/ttyACM0, \/dev\/ttyACM1/,
    );
    expect(() => onlyPort(ports, 'pico', () => false)).toThrow(/0 serial ports match pico/);
    expect(onlyPort(ports, 'nano33ble', ({ targets }) => targets[0]?.state === 'running').path).toBe('/dev/ttyACM0');
  });

  test('the udev rules name both states of an accelerator', async () => {
    const rules = udevRules([await loadTarget('coral-usb')]);
    expect(rules).toMatch(/idVendor}=="1a6e", ATTRS{idProduct}=="089a"/);
    expect(rules).toMatch(/idVendor}=="18d1", ATTRS{idProduct}=="9302"/);
  });

  test('the doctor names what is missing, and its purpose', async () => {
    const { checks } = await doctor({ PATH: '' });
    expect(checks.find(({ what }) => what === 'Node')).toMatchObject({ state: 'ok' });
    expect(checks.find(({ what }) => what === 'socat')).toMatchObject({
      state: 'warning',
      hint: expect.stringContaining('simulate-device'),
    });
  });
});

test('requests get longer and longer to be answered', async () => {
  const { uri } = await serve('tcp:0');
  const silent = new SmpClient(Object.assign(await openTransport(uri), { send: async () => undefined }), {
    timeoutMs: 10,
    attempts: 3,
  });
  await expect(silent.request(atollCommands.describe, {})).rejects.toThrow(/within 70 ms, in 3 attempt/);
  await silent.close();
});

test('a client that reads no answers is held back, and others are served', async () => {
  const listener = await serve('tcp:127.0.0.1:0');
  const port = Number(listener.uri.split(':').at(-1));
  const deaf = net.connect({ host: '127.0.0.1', port }).pause();
  const payload = encodePayload({ d: 'x'.repeat(900) });
  const requests = Buffer.concat(
    Array.from({ length: 60 }, () =>
      encodePacket({ version: 1, op: Op.write, group: 0, sequence: 1, command: 0, payload }),
    ),
  );
  // It sends as long as anyone takes it; the machine's own buffers take some.
  let sent = 0;
  for (let idle = 0; idle < 200; ) {
    if (deaf.writableNeedDrain) idle += 1;
    else {
      deaf.write(requests);
      sent += requests.length;
      idle = 0;
    }
    expect(sent).toBeLessThan(64 * 2 ** 20);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const other = await openDevice(listener.uri);
  expect(await other.echo('hello')).toBeGreaterThanOrEqual(0);
  await other.close();
  deaf.destroy();
});
