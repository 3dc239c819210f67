// One value of a FlexBuffer map, as bytes (google/flatbuffers, flexbuffers.h). Only what compiled models use: a map at the root, keys of text,
// the value a string or blob. Every offset is checked.

const types = { key: 4, string: 5, map: 9, blob: 25 } as const;

/** @returns null where the buffer holds no such map, no such key, or another kind of value */
export function bytesInFlexbufferMap(bytes: Uint8Array, wanted: string): Uint8Array | null {
  const buffer = new FlexBuffer(bytes);
  const rootWidth = bytes.at(-1) ?? 0;
  const packed = bytes.at(-2) ?? 0;
  if (bytes.length < 3 || packed >> 2 !== types.map) return null;
  const width = 1 << (packed & 3);
  const map = buffer.indirect(bytes.length - 2 - rootWidth, rootWidth);
  if (map === null) return null;
  // In front of its values: the offset of the keys, the width of their offsets, the number of entries.
  const [keys, keyWidth, count] = [buffer.indirect(map - 3 * width, width), buffer.read(map - 2 * width, width), buffer.read(map - width, width)];
  if (keys === null || keyWidth === null || count === null || count * (width + 1) > bytes.length) return null;
  for (let entry = 0; entry < count; entry++) {
    const key = buffer.indirect(keys + entry * keyWidth, keyWidth);
    if (key === null || buffer.textAt(key) !== wanted) continue;
    const type = bytes[map + count * width + entry] ?? 0;
    if (type >> 2 !== types.string && type >> 2 !== types.blob) return null;
    const sizeWidth = 1 << (type & 3);
    const start = buffer.indirect(map + entry * width, width);
    const length = start === null ? null : buffer.read(start - sizeWidth, sizeWidth);
    return start === null || length === null || start + length > bytes.length ? null : bytes.subarray(start, start + length);
  }
  return null;
}

class FlexBuffer {
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes; null outside of the buffer. */
  read(at: number, width: number): number | null {
    if (at < 0 || at + width > this.bytes.length) return null;
    if (width === 1) return this.view.getUint8(at);
    if (width === 2) return this.view.getUint16(at, true);
    if (width === 4) return this.view.getUint32(at, true);
    return width === 8 ? Number(this.view.getBigUint64(at, true)) : null;
  }

  /** What an offset refers to: they count backwards from where they stand. */
  indirect(at: number, width: number): number | null {
    const offset = this.read(at, width);
    return offset === null || offset > at ? null : at - offset;
  }

  /** Ends with a byte of 0. */
  textAt(at: number): string {
    const end = this.bytes.indexOf(0, at);
    return String.fromCharCode(...this.bytes.subarray(at, end < 0 ? at : Math.min(end, at + 64)));
  }
}
