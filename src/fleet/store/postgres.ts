// PostgreSQL: agents run on several machines, and one of them leads.

import type { Pool, PoolClient } from 'pg';
import { defined } from '../../base/checked.js';
import { AtollError, fail, reasonOf } from '../../base/errors.js';
import type { Query, Sql, SqlRow } from './sql.js';

const connectTimeoutMs = 10_000;
/** Longer than any query takes. A server that is cut off does not close the connection. */
const queryTimeoutMs = 30_000;
/** PostgreSQL returns 64-bit integers as text; ours fit a double. */
const int8Type = 20;
/** Key of the advisory lock that `alone` holds, distinct from others in the same database: "atoll" in ASCII. */
const loneLock = 0x61_74_6f_6c_6c;

/** @param url postgres://USER:PASSWORD@HOST/DATABASE. @throws STORE */
export async function openPostgres(url: string): Promise<Sql> {
  const { default: pg } = await import('pg');
  const types = {
    getTypeParser: (type: number, format?: 'text' | 'binary') =>
      type === int8Type ? Number : pg.types.getTypeParser(type, defined(format) as 'text'),
  };
  const pool = new pg.Pool({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    max: 4,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    types: types as never,
  });
  // Errors of idle connections: the next transaction opens another.
  pool.on('error', () => undefined);
  // Errors of connections in use: the query itself reports them.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new PostgresDatabase(url.replace(/^(\w+:\/\/[^:@/]*):[^@/]*@/, '$1:***@'), pool);
}

class PostgresDatabase implements Sql {
  readonly types = {
    serial: 'bigint generated always as identity primary key',
    bytes: 'bytea',
    real: 'double precision',
    integer: 'bigint',
  };

  constructor(
    readonly uri: string,
    private readonly pool: Pool,
  ) {}

  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.pool.connect().catch((error: unknown) => {
      throw this.failure(error);
    });
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await work((text, values = []) => this.query(client, text, values as unknown[]));
      await client.query('commit');
      return result;
    } catch (error) {
      // A connection that cannot roll back is not used again.
      await client.query('rollback').catch((reason: Error) => {
        broken = reason;
      });
      throw error instanceof AtollError ? error : this.failure(error);
    } finally {
      client.release(broken);
    }
  }

  alone<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.transaction(async (query) => {
      await query('select pg_advisory_xact_lock(?)', [loneLock]);
      return work(query);
    });
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  private async query(client: PoolClient, text: string, values: unknown[]): Promise<readonly SqlRow[]> {
    let n = 0;
    const numbered = text.replaceAll('?', () => `$${++n}`);
    const bound = values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value));
    return (await client.query<SqlRow>(numbered, bound)).rows;
  }

  private failure(error: unknown): Error {
    return fail(
      isAway(error) ? 'STORE_AWAY' : 'STORE',
      { store: this.uri, reason: reasonOf(error) || String((error as NodeJS.ErrnoException).code) },
      error,
    );
  }
}

/** Socket errors: nothing listens, or the connection breaks. */
const brokenSockets: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/**
 * Whether the same transaction may succeed later: the connection broke, or the server is starting, stopping, recovering
 * or out of connections (classes 08, 533 and 57P of PostgreSQL's error codes, appendix A of its manual).
 */
function isAway(error: unknown): boolean {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return (
    brokenSockets.has(code) ||
    /^(08|533|57P)/.test(code) ||
    /Connection terminated|timeout exceeded when trying to connect|Query read timeout|not queryable/.test(message)
  );
}
