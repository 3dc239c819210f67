// An SQLite file, for agents on one machine. Uses the package libsql, whose binaries come with npm; several processes
// may use one file.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Mutex } from 'async-mutex';
import type { Database, Statement } from 'libsql';
import { fail, reasonOf } from '../../base/errors.js';
import type { Query, Sql, SqlRow, SqlValue } from './sql.js';

/** Waits while another process commits. */
const busyMs = 10_000;

/** @param file `:memory:` for a store that ends with the process. @throws FILE_NOT_WRITABLE, STORE */
export async function openSqlite(file: string): Promise<Sql> {
  const { default: Libsql } = (await import('libsql')) as unknown as {
    readonly default: new (file: string) => Database;
  };
  let database: Database;
  try {
    if (file !== ':memory:') await mkdir(path.dirname(path.resolve(file)), { recursive: true });
    database = new Libsql(file);
    database.exec(`pragma busy_timeout = ${busyMs}`);
    database.exec('pragma journal_mode = wal');
    // A commit is on the disk before anything of it is published.
    database.exec('pragma synchronous = full');
  } catch (error) {
    throw fail('STORE', { store: file, reason: reasonOf(error) }, error);
  }
  return new SqliteFile(file, database);
}

class SqliteFile implements Sql {
  readonly types = { serial: 'integer primary key', bytes: 'blob', real: 'real', integer: 'integer' };
  private readonly statements = new Map<string, Statement>();
  /** Transactions run one after another: they share a connection. */
  private readonly turns = new Mutex();

  constructor(
    readonly uri: string,
    private readonly database: Database,
  ) {}

  transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.turns.runExclusive(() => this.run(work));
  }

  /** Every transaction is exclusive: SQLite has one writer at a time. */
  alone<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.transaction(work);
  }

  async close(): Promise<void> {
    await this.turns.waitForUnlock();
    this.statements.clear();
    this.database.close();
  }

  private async run<T>(work: (query: Query) => Promise<T>): Promise<T> {
    this.perform('begin immediate');
    try {
      const result = await work(async (text, values = []) => this.query(text, values));
      this.perform('commit');
      return result;
    } catch (error) {
      if (this.database.inTransaction) this.database.exec('rollback');
      throw error;
    }
  }

  private query(text: string, values: readonly SqlValue[]): readonly SqlRow[] {
    return this.guarded(() => {
      let statement = this.statements.get(text);
      if (statement === undefined) {
        statement = this.database.prepare(text);
        this.statements.set(text, statement);
      }
      // libsql has no booleans.
      const bound = values.map((value) =>
        typeof value === 'boolean' ? Number(value) : value instanceof Uint8Array ? Buffer.from(value) : value,
      );
      if (statement.reader) return statement.all(bound) as SqlRow[];
      statement.run(bound);
      return [];
    });
  }

  private perform(text: string): void {
    this.guarded(() => void this.database.exec(text));
  }

  private guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fail('STORE', { store: this.uri, reason: reasonOf(error) }, error);
    }
  }
}
