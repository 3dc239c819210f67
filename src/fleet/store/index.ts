// The store of rollouts: an SQLite file by default, or a PostgreSQL database. It keeps the records of rollouts and
// devices.

import path from 'node:path';
import { stateFolder } from '../../base/files/index.js';
import { openPostgres } from './postgres.js';
import type { Sql } from './sql.js';
import { openSqlStore } from './sql-store.js';
import { openSqlite } from './sqlite.js';
import type { RolloutStore } from './store.js';

export type {
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

/**
 * Opens a store of rollouts: an SQLite file, `:memory:`, or a PostgreSQL database.
 * @param url a file, or postgres://USER:PASSWORD@HOST/DATABASE. @throws STORE, FILE_NOT_WRITABLE
 */
export async function openStore(url: string): Promise<RolloutStore> {
  return openSqlStore(await openDatabase(url));
}

/** @throws STORE, FILE_NOT_WRITABLE */
export async function openDatabase(url: string): Promise<Sql> {
  return /^postgres(ql)?:/.test(url) ? openPostgres(url) : openSqlite(url);
}

/** The default store, the same for every working folder and terminal of a user. */
export function defaultStore(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.ATOLL_STORE ?? path.join(stateFolder(environment), 'rollouts.sqlite');
}
