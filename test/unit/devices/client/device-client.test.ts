// The commands of a device with models, which answers from a script: what is asked, and which answers are refused.

import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { drawSample, SeededBytes } from '../../../../src/devices/bundle/index.js';
import { DeviceClient } from '../../../../src/devices/client/index.js';
import { atollCommands, Group, osCommands, type SmpPacket } from '../../../../src/devices/protocol/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { int8Dense } from '../../../support/models.js';
import { mapOf, responseTo, scriptedLine } from '../../../support/scripted-line.js';

const quick = { timeoutMs: 15, attempts: 1 };
const pico = await loadTarget('pico');
const coral = await loadTarget('coral-usb');
const model = int8Dense(6);
const description = {
  proto: 1,
  id: 'board-1',
  target: 'pico',
  fw: 'test',
  runtime: 'tflite-micro',
  profile: 'tflm-reference',
  features: ['profile'],
  tick_hz: 500,
  slot_bytes: 1000,
  arena_bytes: 1000,
  key: false,
};

type Answer = Record<string, unknown> | null;

/** A device that answers by command; null stays silent. */
function device(answers: Readonly<Record<string, (map: Record<string, unknown>, i: number) => Answer>>) {
  const counts = new Map<string, number>();
  const { transport, sent } = scriptedLine((request, send) => {
    const command = [...Object.values(atollCommands), ...Object.values(osCommands)].find(
      ({ group, id }) => group === request.group && id === request.command,
    );
    const name = command?.name ?? '';
    const i = counts.get(name) ?? 0;
    counts.set(name, i + 1);
    const answer = answers[name]?.(mapOf(request) as Record<string, unknown>, i) ?? null;
    if (answer !== null) send(responseTo(request, answer));
  });
  return { client: new DeviceClient(transport, quick), transport, sent };
}

const describes = { describe: () => description };

describe('the description', () => {
  test('is requested once', async () => {
    const { client, sent } = device(describes);
    expect(await client.describe()).toMatchObject({ target: 'pico', tick_hz: 500 });
    await client.describe();
    expect(sent).toHaveLength(1);
  });

  test('of another protocol is refused', async () => {
    const { client } = device({ describe: () => ({ ...description, proto: 99 }) });
    await expect(client.describe()).rejects.toMatchObject({ code: 'DEVICE_PROTOCOL', values: { proto: 99 } });
  });

  test.each<[name: string, answer: Record<string, unknown>, code: string]>([
    ['no such group', { rc: 8 }, 'DEVICE_FILES_ONLY'],
    ['another error of the protocol', { rc: 3 }, 'DEVICE_ERROR'],
    ['an error of a group', { err: { group: Group.atoll, rc: 8 } }, 'DEVICE_ERROR'],
  ])('%s', async (_, answer, code) => {
    const { client } = device({ describe: () => answer });
    await expect(client.describe()).rejects.toMatchObject({ code });
  });
});

describe('an echo', () => {
  test('takes a time', async () => {
    const { client } = device({ echo: ({ d }) => ({ r: d }) });
    const took = await client.echo('text');
    expect(took).toBeGreaterThan(0);
    expect(took).toBeLessThan(10_000);
  });

  test('of another text is refused', async () => {
    const { client } = device({ echo: () => ({ r: 'other' }) });
    await expect(client.echo('text')).rejects.toMatchObject({ code: 'DEVICE_ANSWER', values: { command: 'echo' } });
  });
});

describe('the times of operators', () => {
  const fullyConnected = 9;
  const profiles = (pages: readonly Record<string, unknown>[]) =>
    device({ ...describes, profile: (_, i) => pages[i] ?? null }).client.profile();

  test('come in pages, in milliseconds of the device', async () => {
    const pages = [
      { ops: [[fullyConnected, 250]], next: 1 },
      { ops: [[fullyConnected, 500]], next: 2 },
      { ops: [[fullyConnected, 1]] },
    ];
    expect(await profiles(pages)).toEqual([
      { op: 'FULLY_CONNECTED', ticks: 250, latencyMs: 500 },
      { op: 'FULLY_CONNECTED', ticks: 500, latencyMs: 1000 },
      { op: 'FULLY_CONNECTED', ticks: 1, latencyMs: 2 },
    ]);
  });

  test('of a device that does not measure them are null', async () => {
    const { client, sent } = device({ describe: () => ({ ...description, features: [] }) });
    expect(await client.profile()).toBeNull();
    expect(sent).toHaveLength(1);
  });

  test.each([0, 1_000_000])('that continue at %i are refused', async (next) => {
    await expect(profiles([{ ops: [[fullyConnected, 1]], next }])).rejects.toMatchObject({
      code: 'DEVICE_ANSWER',
      values: { command: 'profile', reason: `it continues at ${next} after 0` },
    });
  });
});

describe('a challenge', () => {
  const outputs = (seed: number, samples: number): Uint8Array => {
    const interpreter = new Interpreter(model, { profile: 'tflm-reference' });
    const source = new SeededBytes(seed);
    return Buffer.concat(
      Array.from({ length: samples }, () => interpreter.run(drawSample(source, interpreter.inputs))),
    );
  };

  test('is answered by the CRC of the outputs', async () => {
    const asked: unknown[] = [];
    const { client } = device({
      challenge: (map) => {
        asked.push(map);
        return { n: 4, crc: crc32(outputs(7, 4)) };
      },
    });
    expect(await client.challenge(model, pico, 7)).toEqual({ samples: 4, agrees: true });
    expect(asked).toEqual([{ seed: 7, n: 4 }]);
  });

  test('with other outputs does not agree', async () => {
    const { client } = device({ challenge: () => ({ n: 4, crc: 1 }) });
    expect(await client.challenge(model, pico, 7)).toEqual({ samples: 4, agrees: false });
  });

  test.each([3, 5])('of four samples, of which %i are answered, is refused', async (n) => {
    const { client } = device({ challenge: () => ({ n, crc: 1 }) });
    await expect(client.challenge(model, pico, 7)).rejects.toMatchObject({
      code: 'DEVICE_ANSWER',
      values: { command: 'challenge', reason: `${n} samples instead of 4` },
    });
  });

  test('to a device that agrees within some steps asks for the outputs; fewer may fit', async () => {
    const asked: unknown[] = [];
    const answering = (change: (all: Uint8Array) => Uint8Array | undefined, n = 2) =>
      device({
        challenge: (map) => {
          asked.push(map);
          return { n, crc: 0, outputs: change(outputs(7, 2)) };
        },
      }).client.challenge(model, coral, 7);
    expect(await answering((all) => all)).toEqual({ samples: 2, agrees: true });
    expect(asked).toEqual([{ seed: 7, n: 4, outputs: true }]);
    expect(await answering((all) => all.map((value) => value ^ 0x40))).toEqual({ samples: 2, agrees: false });
    expect(await answering((all) => all.slice(1))).toEqual({ samples: 2, agrees: false });
    await expect(answering((all) => all, 5)).rejects.toMatchObject({ code: 'DEVICE_ANSWER' });
  });
});

describe('the active model', () => {
  const slots = (...all: Record<string, unknown>[]) => ({ slots: () => ({ slots: all }) });
  const slot = {
    slot: 0,
    len: 3,
    active: false,
    pending: false,
    confirmed: true,
    tested: true,
    attempts: 0,
  };

  test('is that of the active slot', async () => {
    const { client } = device(
      slots({ ...slot, model: new Uint8Array(32) }, { ...slot, active: true, model: new Uint8Array(32).fill(1) }),
    );
    expect(await client.activeModel()).toBe('01'.repeat(32));
  });

  test('is null where no slot is active, or the active one is empty', async () => {
    expect(await device(slots({ ...slot, model: new Uint8Array(32) })).client.activeModel()).toBeNull();
    expect(await device(slots({ ...slot, active: true })).client.activeModel()).toBeNull();
  });

  test('must be the one to run', async () => {
    const { client } = device(slots({ ...slot, active: true, model: new Uint8Array(32) }));
    await expect(client.runner(model, 'ff')).rejects.toMatchObject({
      code: 'DEVICE_OTHER_MODEL',
      values: { actual: '00'.repeat(32), expected: 'ff' },
    });
    const empty = device(slots({ ...slot }));
    await expect(empty.client.runner(model, 'ff')).rejects.toMatchObject({ values: { actual: 'none' } });
  });
});

describe('a reset', () => {
  test('is sent once, and the device describes itself again', async () => {
    const { client, sent } = device({ ...describes, reset: () => ({}), echo: () => ({ r: '' }) });
    await client.describe();
    await client.reset();
    await client.describe();
    const isReset = ({ group, command }: SmpPacket) =>
      group === osCommands.reset.group && command === osCommands.reset.id;
    expect(sent.filter(isReset)).toHaveLength(1);
    expect(sent).toHaveLength(4);
  });

  test('that removes the device from its bus opens it again', async () => {
    const back = scriptedLine((request, send) => send(responseTo(request, { r: '' })));
    let opened = 0;
    const { transport } = scriptedLine((request, send) => {
      send(responseTo(request, {}));
      transport.onClose?.('unplugged');
    });
    const client = new DeviceClient(transport, quick, async () => {
      opened += 1;
      return back.transport;
    });
    await client.reset();
    expect(opened).toBe(1);
    expect(back.sent).toHaveLength(1);
  });

  test('after which it is gone for good, or fails otherwise, is an error', async () => {
    const gone = scriptedLine((request, send) => {
      send(responseTo(request, {}));
      gone.transport.onClose?.('unplugged');
    });
    await expect(new DeviceClient(gone.transport, quick).reset()).rejects.toMatchObject({ code: 'DEVICE_CLOSED' });
    const failing = scriptedLine((request, send) => {
      send(responseTo(request, {}));
      failing.transport.onClose?.('unplugged');
    });
    const broken = new DeviceClient(failing.transport, quick, () =>
      Promise.reject(new TypeError('a fault of its own')),
    );
    await expect(broken.reset()).rejects.toThrow('a fault of its own');
  });
});
