// Who is in a fleet, read at brokers that send what they retain in any order, slowly, more than once, or not at all.

import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { fleetTopics, type Message, matchesFilter } from '../../../src/devices/mqtt/index.js';
import { encodeReported } from '../../../src/devices/protocol/index.js';
import { VirtualTime } from '../../../src/devices/simulated/fleet/virtual-time.js';
import { type Clock, type FleetBroker, readRegistry, readWholeRegistry } from '../../../src/fleet/index.js';

interface Ways {
  /** Order as retained, or any. */
  readonly shuffled?: boolean;
  /** Milliseconds over which retained messages come. */
  readonly spreadMs?: number;
  /** Share of messages that come twice, and that do not come. */
  readonly repeated?: number;
  readonly missing?: number;
  readonly wildcards?: boolean;
  readonly retains?: boolean;
  /** Publications are never acknowledged. */
  readonly silent?: boolean;
}

function brokerOf(
  time: VirtualTime,
  seed: number,
  ways: Ways,
): FleetBroker & { readonly retained: Map<string, Uint8Array> } {
  const {
    shuffled = false,
    spreadMs = 0,
    repeated = 0,
    missing = 0,
    wildcards = true,
    retains = true,
    silent = false,
  } = ways;
  const random = seededRandom(seed);
  const retained = new Map<string, Uint8Array>();
  const handlers = new Map<string, (message: Message) => void>();
  return {
    uri: 'test://broker',
    onChange: null,
    retained,
    publish: async (topic, payload, { retain = false } = {}) => {
      if (silent) return new Promise<void>(() => undefined);
      const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
      if (retain && retains) {
        if (bytes.byteLength === 0) retained.delete(topic);
        else retained.set(topic, bytes);
      }
    },
    subscribe: async (filters, handle) => {
      const all = typeof filters === 'string' ? [filters] : [...filters];
      for (const filter of all) handlers.set(filter, handle);
      const found = all.flatMap((filter) =>
        [...retained].filter(([topic]) => (wildcards || !/[+#]/.test(filter)) && matchesFilter(filter, topic)),
      );
      const ordered = shuffled
        ? found
            .map((entry) => ({ entry, key: random() }))
            .sort((a, b) => a.key - b.key)
            .map(({ entry }) => entry)
        : found;
      for (const [i, [topic, payload]] of ordered.entries()) {
        const isMark = topic.endsWith('/mark');
        if (!isMark && random() < missing) continue;
        const deliver = (): void =>
          handlers.get(all.find((filter) => matchesFilter(filter, topic)) ?? '')?.({ topic, payload, retained: true });
        const at = 1 + (spreadMs * (i + random())) / ordered.length;
        time.laterAwaited(at, deliver);
        if (random() < repeated) time.laterAwaited(at + random() * 20, deliver);
      }
    },
    unsubscribe: async (filters) => {
      for (const filter of typeof filters === 'string' ? [filters] : filters) handlers.delete(filter);
    },
  };
}

const topics = fleetTopics('plant');

function fleetAt(seed: number, ways: Ways, devices = 20) {
  const time = new VirtualTime();
  const broker = brokerOf(time, seed, ways);
  const clock: Clock = {
    wall: () => time.now(),
    elapsed: () => time.now(),
    later: (ms, callback) => time.laterAwaited(ms, callback),
  };
  for (let i = 0; i < devices; i++) {
    broker.retained.set(topics.reported(`d${i}`), encodeReported({ seq: i, target: 'pico', state: 'idle' }));
    broker.retained.set(topics.alive(`d${i}`), new TextEncoder().encode('online'));
  }
  const run = async <T>(work: (options: { clock: Clock }) => Promise<T>): Promise<T> => {
    let outcome: { readonly value?: T; readonly error?: unknown } | null = null;
    work({ clock }).then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    await time.until(() => outcome !== null);
    const { value, error } = outcome as unknown as { value?: T; error?: unknown };
    if (error !== undefined) throw error;
    return value as T;
  };
  return { broker, run };
}

describe('500 seeded readings find the whole fleet, or fail with the reason', () => {
  test.each<[string, Ways]>([
    ['in order', {}],
    ['in any order', { shuffled: true }],
    ['in any order, within 200 ms', { shuffled: true, spreadMs: 200 }],
    ['in any order, within 3 s, some twice', { shuffled: true, spreadMs: 3000, repeated: 0.2 }],
    ['a tenth missing each time', { shuffled: true, missing: 0.1 }],
  ])('%s', async (_name, ways) => {
    let refused = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const { broker, run } = fleetAt(seed, ways);
      const found = await run((options) => readWholeRegistry(broker, 'plant', options)).catch(
        (error: { code?: string }) => {
          expect(error.code).toBe('BROKER_LIMIT');
          refused += 1;
          return null;
        },
      );
      if (found !== null) expect(found.members.map(({ id }) => id)).toHaveLength(20);
    }
    if (ways.missing === undefined) expect(refused).toBe(0);
  });
});

test('a broker that cannot carry a fleet gives an error, and nothing waits forever', async () => {
  for (const [ways, code] of [
    [{ wildcards: false }, 'BROKER_LIMIT'],
    [{ retains: false }, 'BROKER_REFUSED'],
    [{ silent: true }, 'BROKER_UNREACHABLE'],
  ] as const) {
    const { broker, run } = fleetAt(1, ways);
    await expect(run((options) => readRegistry(broker, 'plant', options))).rejects.toMatchObject({ code });
  }
});

test('an id with a report that was never connected is quarantined, regardless of other retained messages', async () => {
  const { broker, run } = fleetAt(1, { shuffled: true, spreadMs: 50 }, 10);
  const report = encodeReported({ seq: 1, target: 'pico', state: 'idle' });
  for (let i = 0; i < 8; i++) broker.retained.set(topics.reported(`ghost${i}`), report);
  broker.retained.set(topics.alive('ghost1'), new TextEncoder().encode('perhaps'));
  broker.retained.set(topics.alive('d3'), new TextEncoder().encode('offline'));
  const { members, neverConnected } = await run((options) => readWholeRegistry(broker, 'plant', options));
  expect(members).toHaveLength(10);
  expect(members.filter(({ online }) => !online).map(({ id }) => id)).toEqual(['d3']);
  expect(neverConnected).toEqual(Array.from({ length: 8 }, (_, i) => `ghost${i}`));
});

test('a signal ends the reading at once', async () => {
  const { broker, run } = fleetAt(1, { silent: true });
  const over = new AbortController();
  const reading = run((options) => readRegistry(broker, 'plant', { ...options, signal: over.signal }));
  over.abort(new Error('enough'));
  await expect(reading).rejects.toThrow('enough');
});
