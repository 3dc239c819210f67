// Converts device records to and from database rows.

import type { DeviceMeasurements } from '../gates.js';
import type { DeviceRecord } from '../records.js';
import type { SqlRow, SqlValue } from './sql.js';

const measuredColumns = ['p95_ms', 'accuracy', 'arena_bytes', 'max_lsb'] as const;

export const columnsOfDevices: readonly string[] = [
  'id',
  'wave',
  'place',
  'phase',
  'since',
  'seq',
  'attempt',
  'desired',
  'published',
  'code',
  ...measuredColumns,
  ...measuredColumns.map((column) => `before_${column}`),
];

/** In the order of the columns. */
export function valuesOf({
  id,
  wave,
  place,
  phase,
  since,
  seq,
  attempt,
  desired,
  published,
  code,
  measured,
  before,
}: DeviceRecord): readonly SqlValue[] {
  return [
    id,
    wave,
    place,
    phase,
    since,
    seq,
    attempt,
    desired,
    Number(published),
    code,
    ...measuredValues(measured),
    ...measuredValues(before),
  ];
}

export function deviceOf(row: SqlRow): DeviceRecord {
  return {
    id: String(row.id),
    wave: Number(row.wave),
    place: Number(row.place),
    phase: String(row.phase) as DeviceRecord['phase'],
    since: Number(row.since),
    seq: Number(row.seq),
    attempt: Number(row.attempt),
    desired: String(row.desired) as DeviceRecord['desired'],
    published: Number(row.published) === 1,
    code: row.code === null ? null : String(row.code),
    measured: measuredOf(row, ''),
    before: measuredOf(row, 'before_'),
  };
}

function measuredValues({ p95Ms, accuracy, arenaBytes, maxLsb }: DeviceMeasurements): readonly SqlValue[] {
  return [p95Ms, accuracy, arenaBytes, maxLsb];
}

function measuredOf(row: SqlRow, prefix: string): DeviceMeasurements {
  const [p95Ms = null, accuracy = null, arenaBytes = null, maxLsb = null] = measuredColumns.map((column) => {
    const value = row[`${prefix}${column}`];
    return value === null || value === undefined ? null : Number(value);
  });
  return { p95Ms, accuracy, arenaBytes, maxLsb };
}
