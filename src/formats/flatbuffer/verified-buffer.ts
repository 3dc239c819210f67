// Bounds-checked access to a flatbuffer. The npm runtime trusts every offset in a file; here each is checked before
// use. The work that a file can cause is bounded by its length: offsets may share targets, so a small hostile file
// could otherwise expand into a huge model.

import { fail } from '../../base/errors.js';
import { type ScalarType, scalarBytes, type TypedArray } from './fields.js';

/** A table whose vtable has been checked. Slot n is at `at(n)`, or absent (0). */
export interface TableView {
  readonly start: number;
  readonly inlineBytes: number;
  readonly vtable: number;
  readonly slotCount: number;
}

const utf8 = new TextDecoder('utf-8');

export class VerifiedBuffer {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  private budget: number;

  constructor(bytes: Uint8Array) {
    // A plain Uint8Array: slice() of a Node Buffer returns a view instead of a copy.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.budget = 16 * bytes.byteLength + 262144;
  }

  damaged(reason: string, offset: number, where: string): Error {
    return fail('TFLITE_DAMAGED', { reason, offset, where });
  }

  private need(offset: number, length: number, where: string): void {
    if (offset < 0 || length < 0 || offset + length > this.bytes.byteLength) {
      throw this.damaged(`${length} bytes are outside the file of ${this.bytes.byteLength}`, offset, where);
    }
  }

  private spend(cost: number, offset: number, where: string): void {
    this.budget -= cost;
    if (this.budget < 0) throw this.damaged('offsets refer to the same data too often', offset, where);
  }

  u32(offset: number, where: string): number {
    this.need(offset, 4, where);
    return this.view.getUint32(offset, true);
  }

  /** Follows the unsigned offset that is stored at `at`. */
  follow(at: number, where: string): number {
    const target = at + this.u32(at, where);
    if (target === at) throw this.damaged('an offset of zero', at, where);
    this.need(target, 4, where);
    return target;
  }

  /** @param fields number of fields of the table's type, which decides the memory that its object takes */
  table(start: number, fields: number, where: string): TableView {
    this.spend(32 + 8 * fields, start, where);
    this.need(start, 4, where);
    const vtable = start - this.view.getInt32(start, true);
    this.need(vtable, 4, where);
    const vtableBytes = this.view.getUint16(vtable, true);
    const inlineBytes = this.view.getUint16(vtable + 2, true);
    if (vtableBytes < 4 || vtableBytes % 2 !== 0 || inlineBytes < 4)
      throw this.damaged('an impossible vtable', vtable, where);
    this.need(vtable, vtableBytes, where);
    this.need(start, inlineBytes, where);
    return { start, inlineBytes, vtable, slotCount: (vtableBytes - 4) / 2 };
  }

  /** Position of a slot's inline value of `length` bytes; 0 if the table does not hold it. */
  slot(table: TableView, slot: number, length: number, where: string): number {
    if (slot >= table.slotCount) return 0;
    const offset = this.view.getUint16(table.vtable + 4 + 2 * slot, true);
    if (offset === 0) return 0;
    if (offset < 4 || offset + length > table.inlineBytes)
      throw this.damaged(`slot ${slot} is outside its table`, table.start, where);
    return table.start + offset;
  }

  scalar(type: ScalarType, at: number): number | bigint | boolean {
    switch (type) {
      case 'bool':
        return this.view.getUint8(at) !== 0;
      case 'i8':
        return this.view.getInt8(at);
      case 'u8':
        return this.view.getUint8(at);
      case 'i16':
        return this.view.getInt16(at, true);
      case 'u16':
        return this.view.getUint16(at, true);
      case 'i32':
        return this.view.getInt32(at, true);
      case 'u32':
        return this.view.getUint32(at, true);
      case 'i64':
        return this.view.getBigInt64(at, true);
      case 'u64':
        return this.view.getBigUint64(at, true);
      case 'f32':
        return this.view.getFloat32(at, true);
    }
  }

  string(at: number, where: string): string {
    const start = this.follow(at, where);
    const length = this.u32(start, where);
    this.need(start + 4, length, where);
    this.spend(4 + length, start, where);
    return utf8.decode(this.bytes.subarray(start + 4, start + 4 + length));
  }

  /**
   * A vector of scalars, or of structs of `per` scalars: a view if its elements are aligned in memory, otherwise a
   * copy.
   */
  vector(type: ScalarType, at: number, where: string, per = 1): TypedArray {
    const start = this.follow(at, where);
    const count = per * this.u32(start, where);
    const length = count * scalarBytes(type);
    this.need(start + 4, length, where);
    // Bytes are weights and are only used as a whole. All other vectors are traversed by the reader, which costs time.
    if (type !== 'u8') this.spend(length, start, where);
    const from = this.bytes.byteOffset + start + 4;
    if (from % scalarBytes(type) === 0) return typedArray(type, this.bytes.buffer, from, count);
    return typedArray(type, this.bytes.slice(start + 4, start + 4 + length).buffer, 0, count);
  }

  /** Positions of the offsets in a vector of offsets. */
  offsets(at: number, where: string): number[] {
    const start = this.follow(at, where);
    const count = this.u32(start, where);
    this.need(start + 4, 4 * count, where);
    this.spend(4 * count, start, where);
    return Array.from({ length: count }, (_, i) => start + 4 + 4 * i);
  }
}

function typedArray(type: ScalarType, buffer: ArrayBufferLike, offset: number, count: number): TypedArray {
  switch (type) {
    case 'bool':
    case 'u8':
      return new Uint8Array(buffer, offset, count);
    case 'i8':
      return new Int8Array(buffer, offset, count);
    case 'i16':
      return new Int16Array(buffer, offset, count);
    case 'u16':
      return new Uint16Array(buffer, offset, count);
    case 'i32':
      return new Int32Array(buffer, offset, count);
    case 'u32':
      return new Uint32Array(buffer, offset, count);
    case 'i64':
      return new BigInt64Array(buffer, offset, count);
    case 'u64':
      return new BigUint64Array(buffer, offset, count);
    case 'f32':
      return new Float32Array(buffer, offset, count);
  }
}
