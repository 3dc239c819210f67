// The store on an SQL database.

import { defined } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { DeviceRecord } from '../records.js';
import { columnsOfDevices, deviceOf, valuesOf } from './device-row.js';
import { placeholders, type Query, type Sql, type SqlRow } from './sql.js';
import type {
  Commit,
  Lease,
  LoggedEvent,
  MeasuredRow,
  NewRollout,
  PublishedRow,
  RolloutCommand,
  RolloutRow,
  RolloutStore,
  WaveRow,
} from './store.js';
import { prepareTables } from './tables.js';

/** Rows per insert: the number of values stays below the limit of every database. */
const rowsAtOnce = 500;
/** Devices read at once. */
const pageDevices = 5000;

export async function openSqlStore(sql: Sql): Promise<RolloutStore> {
  await prepareTables(sql);
  return new SqlStore(sql);
}

class SqlStore implements RolloutStore {
  constructor(private readonly sql: Sql) {}

  get uri(): string {
    return this.sql.uri;
  }

  create(rollout: NewRollout, devices: readonly DeviceRecord[]): Promise<RolloutRow | null> {
    const { fleet, name, uri, plan, target, bundle, previous, cutoff, state, createdAt } = rollout;
    return this.sql.transaction(async (query) => {
      const [row] = await query(
        `insert into rollouts (fleet, name, uri, plan, target, bundle, previous, cutoff, state, judgements,
          created_at, changed_at, clock_ms)
          values ${placeholders(1, 13)} on conflict (fleet, name) do nothing returning *`,
        [
          fleet,
          name,
          uri,
          JSON.stringify(plan),
          target,
          bundle,
          previous,
          cutoff,
          JSON.stringify(state),
          '[]',
          createdAt,
          createdAt,
          0,
        ],
      );
      if (row === undefined) return null;
      await writeDevices(query, Number(row.no), devices);
      return rolloutOf(row);
    });
  }

  async rollouts(fleet: string | null): Promise<readonly RolloutRow[]> {
    const order = 'order by created_at desc, no desc';
    const rows = await (fleet === null
      ? this.ask(`select * from rollouts ${order}`)
      : this.ask(`select * from rollouts where fleet = ? ${order}`, [fleet]));
    return rows.map(rolloutOf);
  }

  async rollout(no: number): Promise<RolloutRow> {
    const [row] = await this.ask('select * from rollouts where no = ?', [no]);
    if (row === undefined) throw fail('STORE', { store: this.uri, reason: `it no longer has rollout number ${no}` });
    return rolloutOf(row);
  }

  async *devices(no: number): AsyncGenerator<DeviceRecord> {
    for (let after = -1; ; ) {
      const rows = await this.ask('select * from devices where rollout = ? and place > ? order by place limit ?', [
        no,
        after,
        pageDevices,
      ]);
      for (const row of rows) yield deviceOf(row);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = Number(last.place);
    }
  }

  async waves(no: number): Promise<readonly WaveRow[]> {
    const rows = await this.ask(
      'select wave, phase, count(*) as devices from devices where rollout = ? group by wave, phase order by wave',
      [no],
    );
    return rows.map(({ wave, phase, devices }) => ({
      wave: Number(wave),
      phase: defined(phase) as WaveRow['phase'],
      devices: Number(devices),
    }));
  }

  async measured(no: number): Promise<readonly MeasuredRow[]> {
    const medians = async (column: string): Promise<Map<number, number>> => {
      const rows = await this.ask(
        `select wave, avg(value) as median from (select wave, ${column} as value,
          row_number() over (partition by wave order by ${column}) as i,
          count(*) over (partition by wave) as n from devices where rollout = ? and ${column} is not null) as ranked
          where 2 * i in (n, n + 1, n + 2) group by wave order by wave`,
        [no],
      );
      return new Map(rows.map(({ wave, median }) => [Number(wave), Number(median)]));
    };
    const [p95, before, accuracy, beforeAccuracy] = [
      await medians('p95_ms'),
      await medians('before_p95_ms'),
      await medians('accuracy'),
      await medians('before_accuracy'),
    ];
    const waves = [...new Set([p95, before, accuracy, beforeAccuracy].flatMap((values) => [...values.keys()]))].sort(
      (a, b) => a - b,
    );
    return waves.map((wave) => ({
      wave,
      p95Ms: p95.get(wave) ?? null,
      beforeP95Ms: before.get(wave) ?? null,
      accuracy: accuracy.get(wave) ?? null,
      beforeAccuracy: beforeAccuracy.get(wave) ?? null,
    }));
  }

  async events(no: number, after: number, most: number): Promise<readonly LoggedEvent[]> {
    const rows = await this.ask('select n, at, event from events where rollout = ? and n > ? order by n limit ?', [
      no,
      after,
      most,
    ]);
    return rows.map(({ n, at, event }) => ({
      n: Number(n),
      at: Number(at),
      event: JSON.parse(String(event)) as LoggedEvent['event'],
    }));
  }

  async keepImage(sha: string, image: Uint8Array): Promise<void> {
    await this.ask('insert into images (sha, image) values (?, ?) on conflict (sha) do nothing', [sha, image]);
  }

  async image(sha: string): Promise<Uint8Array | null> {
    const [row] = await this.ask('select image from images where sha = ?', [sha]);
    return row === undefined ? null : new Uint8Array(defined(row.image) as Uint8Array);
  }

  async published(fleet: string): Promise<readonly PublishedRow[]> {
    const rows = await this.ask(
      'select sha, blocks, block_bytes, complete from published where fleet = ? order by sha',
      [fleet],
    );
    return rows.map((row) => ({
      sha: String(row.sha),
      blocks: Number(row.blocks),
      blockBytes: Number(row.block_bytes),
      complete: Number(row.complete) === 1,
    }));
  }

  async forgetPublished(fleet: string, sha: string): Promise<void> {
    await this.ask('delete from published where fleet = ? and sha = ?', [fleet, sha]);
  }

  async request(no: number, request: RolloutCommand): Promise<number> {
    const [row] = await this.ask('insert into requests (rollout, request) values (?, ?) returning n', [
      no,
      JSON.stringify(request),
    ]);
    return Number(row?.n);
  }

  async requests(no: number): Promise<readonly { n: number; request: RolloutCommand }[]> {
    const rows = await this.ask('select n, request from requests where rollout = ? order by n', [no]);
    return rows.map(({ n, request }) => ({ n: Number(n), request: JSON.parse(String(request)) as RolloutCommand }));
  }

  async lease(no: number): Promise<Lease | null> {
    const [row] = await this.ask('select holder, heartbeat from leases where rollout = ?', [no]);
    return row === undefined ? null : { holder: String(row.holder), heartbeat: Number(row.heartbeat) };
  }

  async takeLease(no: number, holder: string, seen: Lease | null): Promise<boolean> {
    const rows = await (seen === null
      ? this.ask(
          'insert into leases (rollout, holder, heartbeat) values (?, ?, 1) on conflict (rollout) do nothing ' +
            'returning heartbeat',
          [no, holder],
        )
      : this.ask(
          'update leases set holder = ?, heartbeat = heartbeat + 1 where rollout = ? and holder = ? and ' +
            'heartbeat = ? returning heartbeat',
          [holder, no, seen.holder, seen.heartbeat],
        ));
    return rows.length === 1;
  }

  async giveLease(no: number, holder: string): Promise<void> {
    await this.ask('delete from leases where rollout = ? and holder = ?', [no, holder]);
  }

  commit(
    no: number,
    holder: string,
    { devices, events, state, judgements, clockMs, at, handled, published }: Commit,
  ): Promise<void> {
    return this.sql.transaction(async (query) => {
      const renewed = await query(
        'update leases set heartbeat = heartbeat + 1 where rollout = ? and holder = ? returning heartbeat',
        [no, holder],
      );
      if (renewed.length === 0) throw fail('ROLLOUT_LEASE', { rollout: no });
      await writeDevices(query, no, devices);
      const [last] = await query('select max(n) as n from events where rollout = ?', [no]);
      for (const [i, event] of events.entries())
        await query('insert into events (rollout, n, at, event) values (?, ?, ?, ?)', [
          no,
          Number(last?.n ?? 0) + 1 + i,
          at,
          JSON.stringify(event),
        ]);
      for (const n of handled) await query('delete from requests where n = ?', [n]);
      const [rollout] = await query(
        'update rollouts set state = ?, judgements = ?, changed_at = ?, clock_ms = ? where no = ? returning fleet',
        [JSON.stringify(state), JSON.stringify(judgements), at, clockMs, no],
      );
      for (const { sha, blocks, blockBytes, complete } of published) {
        await query(
          `insert into published (fleet, sha, blocks, block_bytes, complete) values (?, ?, ?, ?, ?)
            on conflict (fleet, sha) do update set blocks = excluded.blocks, block_bytes = excluded.block_bytes,
              complete = excluded.complete`,
          [String(rollout?.fleet), sha, blocks, blockBytes, Number(complete)],
        );
      }
    });
  }

  close(): Promise<void> {
    return this.sql.close();
  }

  private ask(...[text, values]: Parameters<Query>): Promise<readonly SqlRow[]> {
    return this.sql.transaction((query) => query(text, values));
  }
}

async function writeDevices(query: Query, no: number, devices: readonly DeviceRecord[]): Promise<void> {
  const columns = ['rollout', ...columnsOfDevices];
  const update = columnsOfDevices.map((column) => `${column} = excluded.${column}`).join(', ');
  for (let at = 0; at < devices.length; at += rowsAtOnce) {
    const rows = devices.slice(at, at + rowsAtOnce);
    await query(
      `insert into devices (${columns.join(', ')}) values ${placeholders(rows.length, columns.length)} on ` +
        `conflict (rollout, id) do update set ${update}`,
      rows.flatMap((device) => [no, ...valuesOf(device)]),
    );
  }
}

function rolloutOf(row: SqlRow): RolloutRow {
  const text = (name: string): string => String(row[name]);
  return {
    no: Number(row.no),
    fleet: text('fleet'),
    name: text('name'),
    uri: text('uri'),
    plan: JSON.parse(text('plan')) as RolloutRow['plan'],
    target: text('target'),
    bundle: text('bundle'),
    previous: row.previous === null ? null : text('previous'),
    cutoff: Number(row.cutoff),
    state: JSON.parse(text('state')) as RolloutRow['state'],
    judgements: JSON.parse(text('judgements')) as RolloutRow['judgements'],
    createdAt: Number(row.created_at),
    changedAt: Number(row.changed_at),
    clockMs: Number(row.clock_ms),
  };
}
