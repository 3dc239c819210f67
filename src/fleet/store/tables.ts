// The tables. A change of them is a new version with a migration from the one before.

import { fail } from '../../base/errors.js';
import type { Sql } from './sql.js';

const version = 2;

/** The statements that migrate each version to the next. */
const migrations: Readonly<Record<number, readonly string[]>> = {
  1: [
    'alter table leases rename column beat to heartbeat',
    'alter table devices rename column wants to desired',
    'alter table devices rename column said to published',
    "update devices set phase = 'notified' where phase = 'told'",
    `update rollouts set plan = replace(plan, '"told":', '"notified":')`,
  ],
};

/** @throws STORE where the database was written by a newer version */
export async function prepareTables(sql: Sql): Promise<void> {
  // Two agents may begin on a new database at once.
  await sql.alone(async (query) => {
    await query('create table if not exists atoll_version (version integer not null)');
    const [row] = await query('select version from atoll_version');
    if (row === undefined) {
      for (const text of tablesOf(sql.types)) await query(text);
      await query('insert into atoll_version values (?)', [version]);
      return;
    }
    let found = Number(row.version);
    for (; migrations[found] !== undefined; found += 1) for (const text of migrations[found] ?? []) await query(text);
    if (found !== version)
      throw fail('STORE', {
        store: sql.uri,
        reason: `its tables have version ${row.version}, newer than version ${version}, which this Atoll knows`,
      });
    if (found !== Number(row.version)) await query('update atoll_version set version = ?', [version]);
  });
}

function tablesOf({ serial, bytes, real, integer }: Sql['types']): readonly string[] {
  return [
    `create table rollouts (no ${serial}, fleet text not null, name text not null, uri text not null,
      plan text not null, target text not null,
      bundle text not null, previous text, cutoff ${real} not null, state text not null, judgements text not null,
        created_at ${integer} not null, changed_at ${integer} not null,
      clock_ms ${real} not null, unique (fleet, name))`,
    `create table leases (rollout ${integer} primary key, holder text not null, heartbeat ${integer} not null)`,
    `create table devices (rollout ${integer} not null, id text not null, wave integer not null,
      place ${integer} not null, phase text not null,
      since ${real} not null, seq ${integer} not null, attempt integer not null, desired text not null,
        published integer not null, code text,
      p95_ms ${real}, accuracy ${real}, arena_bytes ${integer}, max_lsb ${integer},
      before_p95_ms ${real}, before_accuracy ${real}, before_arena_bytes ${integer}, before_max_lsb ${integer},
        primary key (rollout, id))`,
    'create index devices_by_place on devices (rollout, place)',
    `create table events (rollout ${integer} not null, n ${integer} not null, at ${integer} not null, event ` +
      'text not null, primary key (rollout, n))',
    `create table requests (n ${serial}, rollout ${integer} not null, request text not null)`,
    `create table images (sha text primary key, image ${bytes} not null)`,
    `create table published (fleet text not null, sha text not null, blocks integer not null,
      block_bytes integer not null, complete integer not null,
      primary key (fleet, sha))`,
  ];
}
