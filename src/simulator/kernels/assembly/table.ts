// Functions of one byte, by a table of 256 results; and conversion between int8 and uint8 of the same scale.

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

/** Inverts the highest bit of every byte. */
export function flipSigns(input: usize, output: usize, count: i32): void {
  touch(input, count);
  touch(output, count);
  const sign = i8x16.splat(-128);
  let i = 0;
  for (; i + 16 <= count; i += 16) v128.store(output + i, v128.xor(v128.load(input + i), sign));
  for (; i < count; i++) store<u8>(output + i, load<u8>(input + i) ^ 128);
}

/**
 * Functions of two bytes, by a table of 65536 results. The operands are traversed in three nested loops; `walk` holds,
 * as int32, the length of each and the step of each operand: 0 if it broadcasts.
 */
export function tableOfPairs8(a: usize, b: usize, output: usize, table: usize, walk: usize): void {
  touch(walk, 36);
  touch(table, 65536);
  const outer = load<i32>(walk), middle = load<i32>(walk, 12), inner = load<i32>(walk, 24);
  const innerA = load<i32>(walk, 28), innerB = load<i32>(walk, 32);
  for (let o = 0; o < outer; o++) {
    for (let m = 0; m < middle; m++) {
      let atA = a + <usize>(o * load<i32>(walk, 4) + m * load<i32>(walk, 16));
      let atB = b + <usize>(o * load<i32>(walk, 8) + m * load<i32>(walk, 20));
      touch(output, inner);
      for (let i = 0; i < inner; i++) {
        touch(atA, 1);
        touch(atB, 1);
        store<u8>(output + i, load<u8>(table + (<usize>load<u8>(atA) << 8 | <usize>load<u8>(atB))));
        atA += innerA;
        atB += innerB;
      }
      output += inner;
    }
  }
}
