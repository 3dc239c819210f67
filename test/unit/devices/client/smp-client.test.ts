// Requests over a transport whose other side is a script.

import { describe, expect, test } from 'vitest';
import { SmpClient, statusError } from '../../../../src/devices/client/smp-client.js';
import { atollCommands, Group, osCommands, type SmpPacket } from '../../../../src/devices/protocol/index.js';
import { type LineScript, responseTo, scriptedLine } from '../../../support/scripted-line.js';

const echo = (client: SmpClient, options = {}) => client.request(osCommands.echo, { d: 'x' }, options);
const quick = { timeoutMs: 15, attempts: 2 };

describe('which packets answer a request', () => {
  test.each<[name: string, changes: (request: SmpPacket) => Partial<SmpPacket>]>([
    ['another sequence number', ({ sequence }) => ({ sequence: (sequence + 1) & 0xff })],
    ['another operation', ({ op }) => ({ op: (op + 2) as SmpPacket['op'] })],
    ['another group', ({ group }) => ({ group: group + 1 })],
    ['another command', ({ command }) => ({ command: command + 1 })],
  ])('not one with %s', async (_, changes) => {
    const { transport, sent } = scriptedLine((request, send) =>
      send(responseTo(request, { r: 'x' }, changes(request))),
    );
    await expect(echo(new SmpClient(transport), quick)).rejects.toMatchObject({
      code: 'DEVICE_TIMEOUT',
      values: { command: 'echo', attempts: 2, timeoutMs: 15 + 30 },
    });
    expect(sent).toHaveLength(2);
  });

  test('a late response to the first attempt answers the second', async () => {
    const early: SmpPacket[] = [];
    const { transport } = scriptedLine((request, send) => {
      early.push(request);
      if (early.length === 2) send(responseTo(early[0] as SmpPacket, { r: 'late' }));
    });
    expect(await echo(new SmpClient(transport), quick)).toEqual({ r: 'late' });
  });

  test('sequence numbers follow one another and wrap', async () => {
    const { transport, sent } = scriptedLine((request, send) => send(responseTo(request, { r: '' })));
    const client = new SmpClient(transport);
    for (let i = 0; i < 258; i++) await echo(client);
    const numbers = sent.map(({ sequence }) => sequence);
    for (const [i, number] of numbers.entries()) if (i > 0) expect(number).toBe(((numbers[i - 1] ?? 0) + 1) & 0xff);
    expect(new Set(numbers).size).toBe(256);
  });

  test.each<[name: string, comeBack: (request: SmpPacket) => SmpPacket, silence: string | undefined]>([
    ['a request that comes back as it was sent', (request) => request, 'echo'],
    ['one of another command', (request) => ({ ...request, command: request.command + 1 }), undefined],
    ['one of another group', (request) => ({ ...request, group: request.group + 1 }), undefined],
    ['one of another operation', (request) => ({ ...request, op: (request.op + 3) as SmpPacket['op'] }), undefined],
  ])('%s explains the silence, or not', async (_, comeBack, silence) => {
    const { transport } = scriptedLine((request, send) => send(comeBack(request)), {
      received: { bytes: 100, unreadable: 0, text: [] },
    });
    const error = (await echo(new SmpClient(transport), quick).catch((reason: unknown) => reason)) as {
      values: { silence?: string };
    };
    if (silence === undefined) expect(error.values.silence).not.toBe('echo');
    else expect(error.values.silence).toBe('echo');
  });
});

describe('status codes', () => {
  test.each<[name: string, map: Record<string, unknown>, version: number, values: object]>([
    ['of a group', { err: { group: Group.atoll, rc: 3 } }, 1, { group: Group.atoll, rc: 3 }],
    ['of the protocol', { rc: 8 }, 1, { group: 'SMP', rc: 8 }],
    ['of the protocol in version 0', { rc: 255 }, 0, { group: 'SMP', rc: 255 }],
    ['of a group in version 0', { rc: 256 + 2 }, 0, { group: Group.os, rc: 2 }],
    ['of a group in version 0, the first', { rc: 256 }, 0, { group: Group.os, rc: 0 }],
    ['of a large number in version 1', { rc: 300 }, 1, { group: 'SMP', rc: 300 }],
  ])('%s', async (_, map, version, values) => {
    const { transport } = scriptedLine((request, send) => send(responseTo(request, map, { version })));
    await expect(echo(new SmpClient(transport))).rejects.toMatchObject({ code: 'DEVICE_ERROR', values });
  });

  test.each<[map: Record<string, unknown>]>([
    [{ r: 'x', rc: 0 }],
    [{ r: 'x', rc: 'text' }],
    [{ r: 'x', err: 7 }],
    [{ r: 'x', err: null }],
    [{ r: 'x', err: { group: 1 } }],
  ])('%j is none', async (map) => {
    for (const version of [0, 1]) {
      const { transport } = scriptedLine((request, send) => send(responseTo(request, map, { version })));
      expect(await echo(new SmpClient(transport))).toMatchObject({ r: 'x' });
    }
  });

  test.each<[map: Record<string, unknown>, detail: string]>([
    [{ detail: 'flash' }, ': flash'],
    [{ rsn: 'busy' }, ': busy'],
    [{ detail: 1, rsn: 2 }, ''],
    [{}, ''],
  ])('%j gives the detail %j', (map, detail) => {
    const status = { group: null, rc: 3, name: 'EINVAL', map: map as never };
    expect(statusError(osCommands.echo, status)).toMatchObject({ values: { group: 'SMP', detail } });
    expect(statusError(osCommands.echo, { ...status, group: 5 })).toMatchObject({ values: { group: 5 } });
  });
});

describe('limits of packets', () => {
  const params =
    (map: Record<string, unknown>): LineScript =>
    (request, send) =>
      send(responseTo(request, map));

  test('are those that the device reports', async () => {
    const { transport, sent } = scriptedLine(params({ buf_size: 500, buf_count: 3 }));
    const client = new SmpClient(transport);
    expect(await client.packetLimits()).toEqual({ maxPacketBytes: 500, buffers: 3 });
    await client.packetLimits();
    expect(sent).toHaveLength(1);
  });

  test('have at least one buffer', async () => {
    const { transport } = scriptedLine(params({ buf_size: 500, buf_count: 0 }));
    expect(await new SmpClient(transport).packetLimits()).toEqual({ maxPacketBytes: 500, buffers: 1 });
  });

  test('are small where the device reports none', async () => {
    const { transport } = scriptedLine(params({ rc: 8 }));
    expect(await new SmpClient(transport).packetLimits()).toEqual({ maxPacketBytes: 256, buffers: 1 });
  });

  test('below 80 bytes carry no command', async () => {
    const { transport } = scriptedLine(params({ buf_size: 79, buf_count: 1 }));
    await expect(new SmpClient(transport).packetLimits()).rejects.toMatchObject({
      code: 'DEVICE_ANSWER',
      values: { command: 'params', reason: expect.stringContaining('79 bytes') },
    });
    const enough = scriptedLine(params({ buf_size: 80, buf_count: 1 }));
    expect((await new SmpClient(enough.transport).packetLimits()).maxPacketBytes).toBe(80);
  });

  test('that were learned apply, and are remembered for this address and these buffers', async () => {
    const { transport } = scriptedLine(params({ buf_size: 500, buf_count: 3 }), { pauseMs: 0 });
    const client = new SmpClient(transport);
    const remembered: [string, unknown][] = [];
    client.memory = {
      recall: () => null,
      remember: async (device, limit) => void remembered.push([device, limit]),
    };
    await client.packetLimits();
    await client.learn({ maxPacketBytes: 300, pauseMs: 7 });
    expect(await client.packetLimits()).toEqual({ maxPacketBytes: 300, buffers: 3 });
    expect(client.pauseMs).toBe(7);
    expect(remembered).toEqual([['test:device 500x3', { maxPacketBytes: 300, pauseMs: 7 }]]);
  });

  test('that are remembered apply from the start, and never beyond what the device reports', async () => {
    for (const [known, expected] of [
      [300, 300],
      [900, 500],
    ] as const) {
      const { transport } = scriptedLine(params({ buf_size: 500, buf_count: 3 }));
      const client = new SmpClient(transport);
      client.memory = { recall: () => ({ maxPacketBytes: known, pauseMs: 4 }), remember: async () => undefined };
      expect((await client.packetLimits()).maxPacketBytes).toBe(expected);
      // This transport sends packets as a whole.
      expect(client.canPause).toBe(false);
      expect(client.pauseMs).toBe(0);
    }
  });
});

describe('requests', () => {
  test('beyond the window wait for their turn', async () => {
    const pending: (() => void)[] = [];
    const { transport, sent } = scriptedLine(
      (request, send) => void pending.push(() => send(responseTo(request, { r: '' }))),
    );
    const client = new SmpClient(transport);
    client.window = 2;
    const all = Promise.all([echo(client), echo(client), echo(client)]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toHaveLength(2);
    pending.shift()?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent).toHaveLength(3);
    for (const reply of pending) reply();
    await all;
  });

  test('sent once give null where nothing answers, and other errors where they fail', async () => {
    const silent = scriptedLine(() => undefined);
    expect(await new SmpClient(silent.transport).askOnce(osCommands.echo, { d: '' }, { timeoutMs: 5 })).toBeNull();
    expect(silent.sent).toHaveLength(1);
    const closed = scriptedLine(() => undefined);
    const client = new SmpClient(closed.transport);
    await client.close();
    await expect(client.askOnce(osCommands.echo, { d: '' })).rejects.toMatchObject({
      code: 'DEVICE_CLOSED',
      values: { device: 'test:device', reason: 'it was closed here' },
    });
  });

  test('in flight end when the connection does', async () => {
    const { transport } = scriptedLine(() => setTimeout(() => transport.onClose?.('unplugged'), 1));
    await expect(echo(new SmpClient(transport), { timeoutMs: 5000 })).rejects.toMatchObject({
      code: 'DEVICE_CLOSED',
      values: { reason: 'unplugged' },
    });
  });

  test('end with the reason of their signal', async () => {
    const { transport } = scriptedLine(() => undefined);
    const stop = new AbortController();
    const result = echo(new SmpClient(transport), { timeoutMs: 5000, signal: stop.signal });
    stop.abort(new Error('stopped'));
    await expect(result).rejects.toThrow('stopped');
  });

  test('damaged answers count as lost', async () => {
    let count = 0;
    const { transport } = scriptedLine((request, send) => {
      count += 1;
      if (count === 1) transport.onPacket?.(Uint8Array.of(1, 2, 3));
      else send(responseTo(request, { r: 'x' }));
    });
    expect(await echo(new SmpClient(transport), quick)).toEqual({ r: 'x' });
  });

  test('have an empty answer where the device sends no map', async () => {
    const { transport } = scriptedLine((request, send) =>
      send({ ...responseTo(request, {}), payload: new Uint8Array() }),
    );
    await expect(new SmpClient(transport).request(atollCommands.slots, {})).rejects.toMatchObject({
      code: 'DEVICE_ANSWER',
    });
  });
});
