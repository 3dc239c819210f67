// What the store asks of a database: texts with `?` for values, in transactions. SQLite and PostgreSQL take the same
// texts; what differs stands here.

export type SqlValue = number | string | boolean | Uint8Array | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;
export type Query = (text: string, values?: readonly SqlValue[]) => Promise<readonly SqlRow[]>;

export interface Sql {
  /** As it may be shown. */
  readonly uri: string;
  readonly types: { readonly serial: string; readonly bytes: string; readonly real: string; readonly integer: string };
  /** All or nothing; what it throws is thrown on. */
  readonly transaction: <T>(work: (query: Query) => Promise<T>) => Promise<T>;
  /** The same, one at a time: that of another agent waits. Other transactions do not. */
  readonly alone: <T>(work: (query: Query) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** `(?, ?), (?, ?)`. */
export function placeholders(rows: number, columns: number): string {
  const row = `(${Array.from({ length: columns }, () => '?').join(', ')})`;
  return Array.from({ length: rows }, () => row).join(', ');
}
