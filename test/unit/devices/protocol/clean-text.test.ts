// What a device says of itself moves no cursor and fills no screen, wherever it enters.

import { expect, test } from 'vitest';
import { fleetTopics } from '../../../../src/devices/mqtt/index.js';
import {
  atollCommands,
  cleanText,
  decodeReported,
  decodeResponse,
  encodePayload,
} from '../../../../src/devices/protocol/index.js';
import { readRegistry } from '../../../../src/fleet/index.js';

const hostile = '\u001b]0;pwn\u0007\u001b[31mRED\u001b[2J\u202e';

test('control, bidirectional and hidden characters become dots, and long text is truncated', () => {
  expect(cleanText(hostile, 64)).toBe('·]0;pwn··[31mRED·[2J·');
  expect(cleanText('plain, ünïcödé, 日本', 64)).toBe('plain, ünïcödé, 日本');
  expect(cleanText('x'.repeat(100), 10)).toBe(`${'x'.repeat(9)}…`);
});

test('reports and descriptions are clean', () => {
  const report = decodeReported(
    encodePayload({
      seq: 1,
      target: hostile,
      state: 'failed',
      tags: { [hostile]: hostile },
      code: hostile,
      detail: hostile,
    }),
  );
  const described = decodeResponse(atollCommands.describe, {
    ...{ proto: 1, id: hostile, target: hostile, fw: hostile, runtime: 'r', profile: 'p', features: [hostile] },
    ...{ tick_hz: 1, slot_bytes: 1, arena_bytes: 1, key: false },
  });
  expect(`${JSON.stringify(report)}${JSON.stringify(described)}`).not.toMatch(/\\u00[01]|\u202e/);
});

test('a reporter with an invalid device name is not a member, and its name is printed safely', async () => {
  const handlers = new Map<string, (message: { topic: string; payload: Uint8Array; retained: boolean }) => void>();
  const payload = encodePayload({ seq: 1, target: 'pico', state: 'idle' });
  const topics = ['x'.repeat(3000), hostile, 'good'].map((id) => fleetTopics('plant').reported(id));
  const alive = fleetTopics('plant');
  let mark: { topic: string; payload: Uint8Array } | null = null;
  const broker = {
    uri: 'test://broker',
    onChange: null,
    publish: async (topic: string, content: Uint8Array | string) => {
      mark = { topic, payload: Buffer.from(content) };
    },
    subscribe: async (
      filters: string | readonly string[],
      handle: (message: { topic: string; payload: Uint8Array; retained: boolean }) => void,
    ) => {
      for (const filter of typeof filters === 'string' ? [filters] : filters) {
        handlers.set(filter, handle);
        if (filter === alive.allAlive)
          handle({ topic: alive.alive('good'), payload: Buffer.from('online'), retained: true });
        for (const topic of topics)
          if (filter === `${topic.slice(0, topic.indexOf('/', 'atoll/plant/r/'.length))}/+`)
            handle({ topic, payload, retained: true });
      }
      if (mark !== null) handle({ ...mark, retained: true });
    },
    unsubscribe: async () => undefined,
  };
  const { members, unreadable } = await readRegistry(broker, 'plant');
  expect(members.map(({ id }) => id)).toEqual(['good']);
  expect(unreadable).toHaveLength(2);
  for (const name of unreadable) {
    expect(name.length).toBeLessThanOrEqual(64);
    expect(name).not.toMatch(/\p{Cc}/u);
  }
});
