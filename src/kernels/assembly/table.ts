// Functions of one byte: any, by a table of all 256 results; and the one between int8 and uint8 of the same scale.

import { touch } from './bounds';

export function tableOf8(input: usize, output: usize, count: i32, table: usize): void {
  touch(input, count);
  touch(output, count);
  touch(table, 256);
  let i = 0;
  for (; i + 8 <= count; i += 8) {
    const x = load<u64>(input + i);
    const y = <u64>load<u8>(table + <usize>(x & 255))
      | (<u64>load<u8>(table + <usize>(x >> 8 & 255)) << 8)
      | (<u64>load<u8>(table + <usize>(x >> 16 & 255)) << 16)
      | (<u64>load<u8>(table + <usize>(x >> 24 & 255)) << 24)
      | (<u64>load<u8>(table + <usize>(x >> 32 & 255)) << 32)
      | (<u64>load<u8>(table + <usize>(x >> 40 & 255)) << 40)
      | (<u64>load<u8>(table + <usize>(x >> 48 & 255)) << 48)
      | (<u64>load<u8>(table + <usize>(x >> 56)) << 56);
    store<u64>(output + i, y);
  }
  for (; i < count; i++) store<u8>(output + i, load<u8>(table + <usize>load<u8>(input + i)));
}

/** Every byte with its highest bit turned. */
export function flipSigns(input: usize, output: usize, count: i32): void {
  touch(input, count);
  touch(output, count);
  const sign = i8x16.splat(-128);
  let i = 0;
  for (; i + 16 <= count; i += 16) v128.store(output + i, v128.xor(v128.load(input + i), sign));
  for (; i < count; i++) store<u8>(output + i, load<u8>(input + i) ^ 128);
}
