// Model to bytes, with the flatbuffers runtime. The runtime writes from the end of a buffer to its front, children
// before parents; the buffer is made large enough at once so that it never has to double.

import { Builder } from 'flatbuffers';
import { fail } from '../errors.js';
import { unknownFields } from './read.js';
import type { Field, Infer, ScalarField, TableType, TypedArray, UnionType, VectorField } from './schema/fields.js';
import { scalarBytes } from './schema/fields.js';
import { Model } from './schema/model.js';

const maxBytes = 2 ** 31 - 1;

/**
 * Writes a model as a TFLite file: every field of the schema, buffers aligned to 16 bytes.
 * @throws TFLITE_UNKNOWN_FIELD when it was read from a file with fields beyond the schema, which cannot be relocated
 * @throws TFLITE_TOO_LARGE
 */
export function writeModel(model: Infer<typeof Model>): Uint8Array {
  const weightBytes = model.buffers.reduce((sum, buffer) => sum + (buffer.data?.byteLength ?? 0) + 32, 0);
  if (weightBytes > maxBytes) throw fail('TFLITE_TOO_LARGE', { bytes: weightBytes });
  const builder = new Builder(weightBytes + (weightBytes >> 4) + 65536);
  const root = writeTable(builder, Model, model as Record<string, unknown>);
  builder.finish(root, 'TFL3');
  return builder.asUint8Array();
}

function writeTable(builder: Builder, type: TableType, value: Record<string, unknown>): number {
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

/** Writes what a slot points at; 0 when there is nothing. */
function writeChild(builder: Builder, field: Field, value: unknown): number {
  if (value === null || value === undefined) return 0;
  switch (field.is) {
    case 'scalar':
      return 0;
    case 'vector':
      return writeVector(builder, field, value as TypedArray);
    case 'text':
      return builder.createString(value as string);
    case 'child':
      return writeTable(builder, field.table(), value as Record<string, unknown>);
    case 'tables': {
      const items = value as Record<string, unknown>[];
      const type = field.table();
      return items.length === 0 && !field.required
        ? 0
        : writeOffsets(
            builder,
            items.map((item) => writeTable(builder, type, item)),
          );
    }
    case 'union': {
      const unknown = unknownFields.get(value as object);
      if (unknown !== undefined) throw fail('TFLITE_UNKNOWN_FIELD', unknown);
      const member = field.union.members[unionCode(field.union, value) - 1] as TableType;
      return writeTable(builder, member, value as Record<string, unknown>);
    }
  }
}

function unionCode(union: UnionType, value: unknown): number {
  const kind = (value as { kind: string }).kind;
  const code = union.codeOf.get(kind);
  if (code === undefined) throw fail('INTERNAL', { reason: `${kind} is no member of its union` });
  return code;
}

function writeOffsets(builder: Builder, offsets: number[]): number {
  builder.startVector(4, offsets.length, 4);
  for (let i = offsets.length - 1; i >= 0; i--) builder.addOffset(offsets[i] as number);
  return builder.endVector();
}

function writeVector(builder: Builder, field: VectorField, value: TypedArray): number {
  const width = scalarBytes(field.type);
  builder.prep(Math.max(field.align, width), value.byteLength);
  if (width === 1) return builder.createByteVector(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  builder.startVector(width, value.length, width);
  for (let i = value.length - 1; i >= 0; i--) addElement(builder, field.type, value[i] as number | bigint);
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
