// What a rollout remembers, in SQLite and in PostgreSQL: the same promises.

import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type DeviceRecord, openStore, plannedState, type RolloutStore, waitingDevice } from '../../src/fleet/index.js';
import { openDatabase } from '../../src/fleet/store/index.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { postgres } from '../support/postgres.js';
import { toolTest } from '../support/tools.js';
import { examplePlan } from '../support/virtual-fleet.js';

const folder = temporaryFolder();
let files = 0;

const kinds: readonly [
  string,
  typeof test,
  () => Promise<{ readonly url: string; readonly stop: () => Promise<void> }>,
][] = [
  ['SQLite', test, async () => ({ url: path.join(folder, 'deep', `${files++}.sqlite`), stop: async () => undefined })],
  ['PostgreSQL', toolTest('postgres') as typeof test, postgres],
];

const plan = { ...examplePlan, rollout: 'r', gates: [] };
const rollout = (name: string, fleet = 'f') => ({
  fleet,
  name,
  uri: 'mqtt://b/f',
  plan,
  target: 'pico',
  bundle: 'aa',
  previous: null,
  cutoff: 0.25,
  createdAt: 1_900_000_000_000,
  state: plannedState,
});
const devices = (count: number): DeviceRecord[] =>
  Array.from({ length: count }, (_, i) => waitingDevice(`d${i}`, i % 3, i));
const commit = {
  devices: [],
  events: [],
  state: plannedState,
  judgements: [],
  clockMs: 5.5,
  at: 1_900_000_000_001,
  handled: [],
  published: [],
};

async function all(store: RolloutStore, no: number): Promise<DeviceRecord[]> {
  const found: DeviceRecord[] = [];
  for await (const device of store.devices(no)) found.push(device);
  return found;
}

describe.each(kinds)('%s', (_name, run, start) => {
  async function onNew(work: (url: string) => Promise<void>): Promise<void> {
    const { url, stop } = await start();
    try {
      await work(url);
    } finally {
      await stop();
    }
  }
  const during = (work: (store: RolloutStore, url: string) => Promise<void>): Promise<void> =>
    onNew(async (url) => {
      const store = await openStore(url);
      try {
        await work(store, url);
      } finally {
        await store.close();
      }
    });

  run('several agents open a new one at once', () =>
    onNew(async (url) => {
      for (const store of await Promise.all(Array.from({ length: 8 }, () => openStore(url)))) {
        expect(await store.rollouts(null)).toEqual([]);
        await store.close();
      }
    }),
  );

  run('a database of version 1 is migrated, once, with what it holds', () =>
    onNew(async (url) => {
      const older = await openStore(url);
      const notified: DeviceRecord = {
        ...waitingDevice('d1', 1, 1),
        phase: 'notified',
        desired: 'new',
        published: true,
      };
      const row = await older.create(rollout('r'), [waitingDevice('d0', 0, 0), notified]);
      await older.close();
      const database = await openDatabase(url);
      await database.alone(async (query) => {
        await query('alter table leases rename column heartbeat to beat');
        await query('alter table devices rename column desired to wants');
        await query('alter table devices rename column published to said');
        await query("update devices set phase = 'told' where phase = 'notified'");
        await query(`update rollouts set plan = replace(plan, '"notified":', '"told":')`);
        await query('update atoll_version set version = 1');
      });
      await database.close();
      for (let opened = 0; opened < 2; opened += 1) {
        const store = await openStore(url);
        expect((await store.rollout(row?.no as number)).plan).toEqual(plan);
        expect(await all(store, row?.no as number)).toEqual([waitingDevice('d0', 0, 0), notified]);
        expect(await store.takeLease(row?.no as number, 'holder', await store.lease(row?.no as number))).toBe(true);
        await store.close();
      }
    }),
  );

  run('a database of a newer version is refused', () =>
    onNew(async (url) => {
      await (await openStore(url)).close();
      const database = await openDatabase(url);
      await database.alone((query) => query('update atoll_version set version = 99'));
      await database.close();
      await expect(openStore(url)).rejects.toMatchObject({ code: 'STORE', message: expect.stringContaining('99') });
    }),
  );

  run('keeps a rollout with all its devices, and gives them back as they were, to another process too', () =>
    during(async (store, url) => {
      const row = await store.create(rollout('r'), devices(12_000));
      expect(row).toMatchObject({ name: 'r', plan, cutoff: 0.25, state: plannedState, clockMs: 0 });
      expect(await store.create(rollout('r'), [])).toBeNull();
      const no = row?.no as number;
      expect(await all(store, no)).toEqual(devices(12_000));
      const measured = { p95Ms: 1.25, accuracy: 0.5, arenaBytes: 20_000, maxLsb: 1 };
      const changed: DeviceRecord = {
        ...waitingDevice('d7', 1, 7),
        phase: 'failed',
        since: 0.5,
        seq: 2 ** 40,
        attempt: 3,
        desired: 'old',
        published: false,
        code: 'X',
        measured,
        before: measured,
      };
      await store.takeLease(no, 'me', null);
      await store.commit(no, 'me', {
        ...commit,
        devices: [changed],
        state: { ...plannedState, phase: 'paused', reason: 'why', by: 'user' },
      });
      const other = await openStore(url);
      expect((await all(other, no))[7]).toEqual(changed);
      expect(await other.rollout(no)).toMatchObject({
        state: { phase: 'paused', reason: 'why' },
        clockMs: 5.5,
        changedAt: 1_900_000_000_001,
      });
      expect(await other.waves(no)).toContainEqual({ wave: 1, phase: 'failed', devices: 1 });
      expect((await other.waves(no)).reduce((sum, { devices: count }) => sum + count, 0)).toBe(12_000);
      await other.close();
    }),
  );

  run('one leads: who has not the lease commits nothing', () =>
    during(async (store) => {
      const { no } = (await store.create(rollout('r'), devices(3))) as { no: number };
      expect(await store.lease(no)).toBeNull();
      expect(await store.takeLease(no, 'a', null)).toBe(true);
      expect(await store.takeLease(no, 'b', null)).toBe(false);
      const seen = await store.lease(no);
      expect(seen).toEqual({ holder: 'a', heartbeat: 1 });
      await store.commit(no, 'a', commit);
      // It has beaten since.
      expect(await store.takeLease(no, 'b', seen)).toBe(false);
      expect(await store.takeLease(no, 'b', await store.lease(no))).toBe(true);
      const refused = store.commit(no, 'a', {
        ...commit,
        devices: [{ ...waitingDevice('d0', 0, 0), phase: 'failed' }],
      });
      await expect(refused).rejects.toMatchObject({ code: 'ROLLOUT_LEASE' });
      expect((await all(store, no))[0]).toMatchObject({ phase: 'waiting' });
      await store.giveLease(no, 'a');
      expect(await store.lease(no)).toMatchObject({ holder: 'b' });
      await store.giveLease(no, 'b');
      expect(await store.lease(no)).toBeNull();
    }),
  );

  run('events, requests, images and what was published', () =>
    during(async (store) => {
      const { no } = (await store.create(rollout('r'), devices(1))) as { no: number };
      const second = (await store.create(rollout('s'), devices(1))) as { no: number };
      await store.takeLease(no, 'a', null);
      const wave = (n: number) => ({ kind: 'wave', wave: n, devices: 1 }) as const;
      await store.commit(no, 'a', { ...commit, events: [wave(0), wave(1)] });
      const n = await store.request(no, { kind: 'pause' });
      const m = await store.request(no, { kind: 'retry', ids: ['d0'] });
      await store.request(second.no, { kind: 'resume' });
      expect(await store.requests(no)).toEqual([
        { n, request: { kind: 'pause' } },
        { n: m, request: { kind: 'retry', ids: ['d0'] } },
      ]);
      const published = { sha: 'aa', blocks: 3, blockBytes: 1024, complete: false };
      await store.commit(no, 'a', { ...commit, events: [wave(2)], handled: [n], published: [published] });
      expect(await store.requests(no)).toHaveLength(1);
      expect((await store.events(no, 1, 10)).map(({ n: number, event }) => [number, event])).toEqual([
        [2, wave(1)],
        [3, wave(2)],
      ]);
      expect(await store.events(no, 0, 1)).toHaveLength(1);
      await store.commit(no, 'a', { ...commit, published: [{ ...published, complete: true }] });
      expect(await store.published('f')).toEqual([{ ...published, complete: true }]);
      await store.forgetPublished('f', 'aa');
      expect(await store.published('f')).toEqual([]);
      const image = Uint8Array.from({ length: 100_000 }, (_, i) => i);
      await store.keepImage('bb', image);
      await store.keepImage('bb', image);
      expect(await store.image('bb')).toEqual(image);
      expect(await store.image('cc')).toBeNull();
      expect((await store.rollouts('f')).map(({ name }) => name)).toEqual(['s', 'r']);
      expect(await store.rollouts('other')).toEqual([]);
    }),
  );

  run('medians of what was measured, wave by wave', () =>
    during(async (store) => {
      const of = (i: number, wave: number, p95Ms: number | null): DeviceRecord => ({
        ...waitingDevice(`d${i}`, wave, i),
        phase: 'confirmed',
        measured: { p95Ms, accuracy: null, arenaBytes: null, maxLsb: null },
      });
      const records = [
        of(0, 0, 3),
        of(1, 0, 1),
        of(2, 0, 2),
        of(3, 1, 4),
        of(4, 1, 6),
        of(5, 1, null),
        { ...of(6, 1, 100), phase: 'rolled-back' as const },
      ];
      const { no } = (await store.create(rollout('r'), records)) as { no: number };
      expect((await store.measured(no)).map(({ wave, p95Ms, beforeP95Ms }) => [wave, p95Ms, beforeP95Ms])).toEqual([
        [0, 2, null],
        [1, 6, null],
      ]);
    }),
  );

  run('what fails leaves nothing behind', () =>
    during(async (store) => {
      const twice = [waitingDevice('d0', 0, 0), { ...waitingDevice('d1', 0, 1), wave: null as unknown as number }];
      await expect(store.create(rollout('r'), twice)).rejects.toMatchObject({ code: 'STORE' });
      expect(await store.rollouts(null)).toEqual([]);
      expect(await store.create(rollout('r'), devices(1))).not.toBeNull();
    }),
  );
});

toolTest('postgres')('a database that ends while it is asked is a coded error', async () => {
  const { url, stop } = await postgres();
  const store = await openStore(url);
  let gone: Promise<unknown> | null = null;
  const ask = async (): Promise<never> => {
    for (let i = 0; ; i++) {
      await store.keepImage(`${i}`, new Uint8Array(1000));
      if (i === 20) gone ??= stop();
    }
  };
  for (const asked of await Promise.allSettled([ask(), ask(), ask(), ask()]))
    expect(asked).toMatchObject({ status: 'rejected', reason: { code: expect.stringMatching(/^STORE(_AWAY)?$/) } });
  await gone;
  await store.close();
});

test('a store that cannot be opened is a coded error', async () => {
  writeFiles(folder, {
    file: 'no database',
    'none.sqlite': 'this is not a database, whatever its name says; it is long enough to be looked at, too',
  });
  const inFile = path.join(folder, 'file', 'x.sqlite');
  await expect(openStore(inFile)).rejects.toMatchObject({ code: 'STORE', message: expect.stringContaining(inFile) });
  await expect(openStore(path.join(folder, 'none.sqlite'))).rejects.toMatchObject({
    code: 'STORE',
    message: expect.stringMatching(/not a database/),
  });
  await expect(openStore('postgres://user:secret@127.0.0.1:1/x')).rejects.toMatchObject({
    code: 'STORE_AWAY',
    message: expect.not.stringContaining('secret'),
  });
});
