// The database interface of the store: SQL texts with `?` for values, in transactions. SQLite and PostgreSQL take the
// same texts; differences are declared here.

export type SqlValue = number | string | boolean | Uint8Array | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;
export type Query = (text: string, values?: readonly SqlValue[]) => Promise<readonly SqlRow[]>;

export interface Sql {
  /** Address of the database, without the password. */
  readonly uri: string;
  readonly types: { readonly serial: string; readonly bytes: string; readonly real: string; readonly integer: string };
  /** Runs all of it or nothing; rethrows what `work` throws. */
  readonly transaction: <T>(work: (query: Query) => Promise<T>) => Promise<T>;
  /** The same, exclusively: a second caller, also of another agent, waits. Other transactions do not. */
  readonly alone: <T>(work: (query: Query) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** `(?, ?), (?, ?)`. */
export function placeholders(rows: number, columns: number): string {
  const row = `(${Array.from({ length: columns }, () => '?').join(', ')})`;
  return Array.from({ length: rows }, () => row).join(', ');
}
