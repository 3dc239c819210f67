// Encodes the objects that a schema describes. The flatbuffers runtime writes from the end of a buffer to its front,
// children before parents.

import type { Builder } from 'flatbuffers';
import { defined, elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import {
  type Field,
  type Infer,
  type ScalarField,
  scalarBytes,
  type TableType,
  type TypedArray,
  type UnionType,
  type VectorField,
} from './fields.js';
import { unknownFields } from './read.js';

/** @throws TFLITE_UNKNOWN_FIELD for an object with fields that the schema does not know: they cannot be relocated */
export function writeTable<T extends TableType>(builder: Builder, type: T, value: Infer<T>): number {
  return tableOf(builder, type, value as Record<string, unknown>);
}

function tableOf(builder: Builder, type: TableType, value: Record<string, unknown>): number {
  const unknown = unknownFields.get(value);
  if (unknown !== undefined) throw fail('TFLITE_UNKNOWN_FIELD', unknown);
  const children = new Map<string, number>();
  for (const [key, field] of type.list) {
    const offset = writeChild(builder, field, value[key]);
    if (offset !== 0) children.set(key, offset);
  }
  builder.startObject(type.slotCount);
  for (const [key, field] of type.list) {
    if (field.is === 'scalar') {
      writeScalar(builder, field, value[key]);
    } else if (field.is === 'union') {
      const offset = children.get(key);
      if (offset === undefined) continue;
      builder.addFieldInt8(field.slot, unionCode(field.union, value[key]), 0);
      builder.addFieldOffset(field.slot + 1, offset, 0);
    } else {
      builder.addFieldOffset(field.slot, children.get(key) ?? 0, 0);
    }
  }
  return builder.endObject();
}

/** Writes the target of a slot's offset; returns 0 if there is none. */
function writeChild(builder: Builder, field: Field, value: unknown): number {
  if (value === null || value === undefined) return 0;
  switch (field.is) {
    case 'scalar':
      return 0;
    case 'vector':
      return writeVector(builder, field, value as TypedArray);
    case 'text':
      return builder.createString(value as string);
    case 'blobs':
      return writeOffsets(
        builder,
        (value as Uint8Array[]).map((item) => writeBlob(builder, item, field.align)),
      );
    case 'child':
      return tableOf(builder, field.table(), value as Record<string, unknown>);
    case 'tables': {
      const items = value as Record<string, unknown>[];
      const type = field.table();
      return items.length === 0 && !field.required
        ? 0
        : writeOffsets(
            builder,
            items.map((item) => tableOf(builder, type, item)),
          );
    }
    case 'union': {
      const unknown = unknownFields.get(value as object);
      if (unknown !== undefined) throw fail('TFLITE_UNKNOWN_FIELD', unknown);
      const member = elementAt(field.union.members, unionCode(field.union, value) - 1);
      return tableOf(builder, member, value as Record<string, unknown>);
    }
  }
}

function unionCode(union: UnionType, value: unknown): number {
  const kind = (value as { kind: string }).kind;
  const code = union.codeOf.get(kind);
  if (code === undefined) throw fail('INTERNAL', { reason: `${kind} is not a member of its union` });
  return code;
}

function writeOffsets(builder: Builder, offsets: number[]): number {
  builder.startVector(4, offsets.length, 4);
  for (let i = offsets.length - 1; i >= 0; i--) builder.addOffset(elementAt(offsets, i));
  return builder.endVector();
}

/** A string ends with a zero byte. */
function writeBlob(builder: Builder, content: Uint8Array, align: number): number {
  builder.prep(align, content.byteLength + 1);
  return builder.createString(content);
}

function writeVector(builder: Builder, field: VectorField, value: TypedArray): number {
  const width = scalarBytes(field.type);
  builder.prep(Math.max(field.align, width), value.byteLength);
  if (width === 1) return builder.createByteVector(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  builder.startVector(width * field.per, value.length / field.per, width);
  for (let i = value.length - 1; i >= 0; i--) addElement(builder, field.type, defined(value[i]));
  return builder.endVector();
}

function addElement(builder: Builder, type: VectorField['type'], value: number | bigint): void {
  switch (type) {
    case 'bool':
    case 'i8':
    case 'u8':
      return builder.addInt8(value as number);
    case 'i16':
    case 'u16':
      return builder.addInt16(value as number);
    case 'i32':
    case 'u32':
      return builder.addInt32(value as number);
    case 'i64':
    case 'u64':
      return builder.addInt64(value as bigint);
    case 'f32':
      return builder.addFloat32(value as number);
  }
}

function writeScalar(builder: Builder, field: ScalarField, value: unknown): void {
  switch (field.type) {
    case 'bool':
      return builder.addFieldInt8(field.slot, Number(value), Number(field.default));
    case 'i8':
    case 'u8':
      return builder.addFieldInt8(field.slot, value as number, field.default as number);
    case 'i16':
    case 'u16':
      return builder.addFieldInt16(field.slot, value as number, field.default as number);
    case 'i32':
    case 'u32':
      return builder.addFieldInt32(field.slot, value as number, field.default as number);
    case 'i64':
    case 'u64':
      return builder.addFieldInt64(field.slot, value as bigint, field.default as bigint);
    case 'f32':
      return builder.addFieldFloat32(field.slot, value as number, field.default as number);
  }
}
