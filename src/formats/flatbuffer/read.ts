// Decodes bytes into the objects that a schema describes, with checks. Vectors stay views of the bytes.

import { type Infer, scalarBytes, type TableType, type UnionType } from './fields.js';
import type { TableView, VerifiedBuffer } from './verified-buffer.js';

/**
 * Fields in a file that the schema does not know, by the object that has them; the writer must refuse these objects.
 */
export const unknownFields = new WeakMap<object, { where: string; slot: number }>();

/**
 * @param at position of the table's offset; 0 for the root
 * @param where name of the file, for messages
 * @throws TFLITE_DAMAGED
 */
export function readTable<T extends TableType>(buffer: VerifiedBuffer, type: T, at: number, where: string): Infer<T> {
  return tableAt(buffer, type, at, where) as Infer<T>;
}

function tableAt(buffer: VerifiedBuffer, type: TableType, at: number, where: string): Record<string, unknown> {
  const view = buffer.table(buffer.follow(at, where), type.list.length, where);
  const out: Record<string, unknown> = {};
  for (const [key, field] of type.list) {
    const bytes = field.is === 'scalar' ? scalarBytes(field.type) : field.is === 'union' ? 1 : 4;
    const at = buffer.slot(view, field.slot, bytes, where);
    const inner = `${where}.${key}`;
    switch (field.is) {
      case 'scalar':
        out[key] = at === 0 ? field.default : buffer.scalar(field.type, at);
        break;
      case 'vector':
        out[key] = at === 0 ? null : buffer.vector(field.type, at, inner, field.per);
        break;
      case 'text':
        out[key] = at === 0 ? null : buffer.string(at, inner);
        break;
      case 'blobs':
        out[key] = at === 0 ? [] : buffer.offsets(at, inner).map((position) => buffer.vector('u8', position, inner));
        break;
      case 'child':
        out[key] = at === 0 ? null : tableAt(buffer, field.table(), at, inner);
        break;
      case 'tables':
        out[key] = at === 0 ? [] : readTables(buffer, field.table(), at, inner);
        break;
      case 'union':
        out[key] = at === 0 ? null : readUnion(buffer, field.union, view, field.slot, at, inner);
        break;
    }
  }
  for (let slot = type.slotCount; slot < view.slotCount; slot++) {
    if (buffer.slot(view, slot, 1, where) !== 0) unknownFields.set(out, { where, slot });
  }
  return out;
}

function readTables(buffer: VerifiedBuffer, type: TableType, at: number, where: string): unknown[] {
  return buffer.offsets(at, where).map((position, i) => tableAt(buffer, type, position, `${where}[${i}]`));
}

function readUnion(
  buffer: VerifiedBuffer,
  union: UnionType,
  view: TableView,
  slot: number,
  at: number,
  where: string,
): unknown {
  const code = buffer.scalar('u8', at) as number;
  const valueAt = buffer.slot(view, slot + 1, 4, where);
  if (code === 0 || valueAt === 0) return null;
  const member = union.members[code - 1];
  if (member === undefined) {
    const unknown = { kind: `unknown(${code})` };
    unknownFields.set(unknown, { where, slot });
    return unknown;
  }
  return Object.assign(tableAt(buffer, member, valueAt, where), { kind: member.name });
}
