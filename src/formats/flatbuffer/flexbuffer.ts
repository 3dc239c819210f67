// Reads FlexBuffer maps (google/flatbuffers, flexbuffers.h): the options of custom operators. Supports what they use: a
// map at the root, string keys, and values that are numbers, strings or blobs. Every offset is checked, and no loop
// runs longer than the buffer.

const types = {
  int: 1,
  uint: 2,
  float: 3,
  string: 5,
  indirectInt: 6,
  indirectUint: 7,
  indirectFloat: 8,
  map: 9,
  blob: 25,
  bool: 26,
} as const;
const maxKeyLength = 64;

export class FlexMap {
  private constructor(
    private readonly buffer: Bytes,
    /** Start of the values, their width, and their number. */
    private readonly values: number,
    private readonly width: number,
    private readonly count: number,
    private readonly keys: number,
    private readonly keyWidth: number,
  ) {}

  /** null if the buffer does not hold a map. */
  static in(bytes: Uint8Array): FlexMap | null {
    const buffer = new Bytes(bytes);
    const rootWidth = bytes.at(-1) ?? 0;
    const packed = bytes.at(-2) ?? 0;
    if (bytes.length < 3 || packed >> 2 !== types.map) return null;
    const width = 1 << (packed & 3);
    const map = buffer.indirect(bytes.length - 2 - rootWidth, rootWidth);
    if (map === null) return null;
    // The header before the values: offset of the keys, width of their offsets, number of entries.
    const [keys, keyWidth, count] = [
      buffer.indirect(map - 3 * width, width),
      buffer.read(map - 2 * width, width),
      buffer.read(map - width, width),
    ];
    if (keys === null || keyWidth === null || count === null || count * (width + 1) > bytes.length) return null;
    return new FlexMap(buffer, map, width, count, keys, keyWidth);
  }

  /** A view of a string or blob; null if there is none of this name. */
  bytes(key: string): Uint8Array | null {
    const { buffer, width } = this;
    const entry = this.entryOf(key);
    const type = this.typeOf(entry);
    if (entry === null || (type >> 2 !== types.string && type >> 2 !== types.blob)) return null;
    const sizeWidth = 1 << (type & 3);
    const start = buffer.indirect(this.values + entry * width, width);
    const length = start === null ? null : buffer.read(start - sizeWidth, sizeWidth);
    return start === null || length === null ? null : buffer.part(start, length);
  }

  /** A number, or 0 or 1 for a boolean; null if there is none of this name. */
  number(key: string): number | null {
    const { buffer, width } = this;
    const entry = this.entryOf(key);
    if (entry === null) return null;
    const [type, at] = [this.typeOf(entry), this.values + entry * width];
    const kind = type >> 2;
    const indirectWidth = 1 << (type & 3);
    const target =
      kind === types.indirectInt || kind === types.indirectUint || kind === types.indirectFloat
        ? buffer.indirect(at, width)
        : at;
    if (target === null) return null;
    switch (kind) {
      case types.int:
        return buffer.read(target, width, 'signed');
      case types.uint:
      case types.bool:
        return buffer.read(target, width);
      case types.float:
        return buffer.read(target, width, 'float');
      case types.indirectInt:
        return buffer.read(target, indirectWidth, 'signed');
      case types.indirectUint:
        return buffer.read(target, indirectWidth);
      case types.indirectFloat:
        return buffer.read(target, indirectWidth, 'float');
      default:
        return null;
    }
  }

  private entryOf(wanted: string): number | null {
    for (let entry = 0; entry < this.count; entry++) {
      const key = this.buffer.indirect(this.keys + entry * this.keyWidth, this.keyWidth);
      if (key !== null && this.buffer.textAt(key) === wanted) return entry;
    }
    return null;
  }

  private typeOf(entry: number | null): number {
    return entry === null ? 0 : (this.buffer.read(this.values + this.count * this.width + entry, 1) ?? 0);
  }
}

class Bytes {
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A number of 1, 2, 4 or 8 bytes; null outside the buffer. */
  read(at: number, width: number, as: 'unsigned' | 'signed' | 'float' = 'unsigned'): number | null {
    if (at < 0 || at + width > this.bytes.length) return null;
    const { view } = this;
    if (as === 'float') return width === 4 ? view.getFloat32(at, true) : width === 8 ? view.getFloat64(at, true) : null;
    const signed = as === 'signed';
    if (width === 1) return signed ? view.getInt8(at) : view.getUint8(at);
    if (width === 2) return signed ? view.getInt16(at, true) : view.getUint16(at, true);
    if (width === 4) return signed ? view.getInt32(at, true) : view.getUint32(at, true);
    return width === 8 ? Number(signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true)) : null;
  }

  /** The target of an offset. Offsets count backwards from their own position. */
  indirect(at: number, width: number): number | null {
    const offset = this.read(at, width);
    return offset === null || offset > at ? null : at - offset;
  }

  part(start: number, length: number): Uint8Array | null {
    return start + length > this.bytes.length ? null : this.bytes.subarray(start, start + length);
  }

  /** A zero byte ends the key. */
  textAt(at: number): string {
    const window = this.bytes.subarray(at, at + maxKeyLength);
    const end = window.indexOf(0);
    return String.fromCharCode(...(end < 0 ? window : window.subarray(0, end)));
  }
}
