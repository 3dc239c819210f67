// RESIZE_BILINEAR over NHWC tensors in int8 and float32. Each output row and column is described by three 32-bit
// numbers: the first and the second input line between which it lies, and its distance from the first, in 1024ths or as
// float32.

import { touch } from './bounds';

const lineBytes: usize = 12;

/** Rounds a sum of values times 2^20 half away from zero. */
// @ts-ignore: decorator
@inline
function rounded(sum: i32): i32 {
  return sum > 0 ? (sum + 0x80000) >> 20 : -((0x80000 - sum) >> 20);
}

// @ts-ignore: decorator
@inline
function rounded4(sums: v128): v128 {
  const negative = i32x4.shr_s(sums, 31);
  const magnitude = i32x4.shr_s(i32x4.add(i32x4.abs(sums), i32x4.splat(0x80000)), 20);
  return i32x4.sub(v128.xor(magnitude, negative), negative);
}

/** 8 elements times a weight, as two int32 vectors, added to the given ones. */
// @ts-ignore: decorator
@inline
function lowProducts(values: v128, weight: v128): v128 {
  return i32x4.mul(i32x4.extend_low_i16x8_s(values), weight);
}

// @ts-ignore: decorator
@inline
function highProducts(values: v128, weight: v128): v128 {
  return i32x4.mul(i32x4.extend_high_i16x8_s(values), weight);
}

export function resizeBilinearInt8(
  input: usize, output: usize, rows: usize, height: i32, columns: usize, width: i32, batches: i32, inputHeight: i32,
      inputWidth: i32, channels: i32,
): void {
  for (let b = 0; b < batches; b++) {
    for (let y = 0; y < height; y++) {
      const row = rows + lineBytes * <usize>y;
      touch(row, lineBytes);
      const top = input + <usize>((b * inputHeight + load<i32>(row)) * inputWidth * channels);
      const bottom = input + <usize>((b * inputHeight + load<i32>(row, 4)) * inputWidth * channels);
      const down = load<i32>(row, 8);
      for (let x = 0; x < width; x++) {
        const column = columns + lineBytes * <usize>x;
        touch(column, lineBytes);
        const left = load<i32>(column) * channels, right = load<i32>(column, 4) * channels;
        const across = load<i32>(column, 8);
        const ll = top + left, lu = bottom + left, rl = top + right, ru = bottom + right;
        touch(ll, channels);
        touch(lu, channels);
        touch(rl, channels);
        touch(ru, channels);
        touch(output, channels);
        const wll = (1024 - down) * (1024 - across), wlu = down * (1024 - across), wrl = (1024 - down) * across,
            wru = down * across;
        let c = 0;
        for (; c + 8 <= channels; c += 8) {
          const a = v128.load8x8_s(ll + c), d = v128.load8x8_s(lu + c), e = v128.load8x8_s(rl + c),
              f = v128.load8x8_s(ru + c);
          const low = i32x4.add(
            i32x4.add(lowProducts(a, i32x4.splat(wll)), lowProducts(d, i32x4.splat(wlu))),
            i32x4.add(lowProducts(e, i32x4.splat(wrl)), lowProducts(f, i32x4.splat(wru))),
          );
          const high = i32x4.add(
            i32x4.add(highProducts(a, i32x4.splat(wll)), highProducts(d, i32x4.splat(wlu))),
            i32x4.add(highProducts(e, i32x4.splat(wrl)), highProducts(f, i32x4.splat(wru))),
          );
          const packed = i16x8.narrow_i32x4_s(rounded4(low), rounded4(high));
          v128.store64_lane(output + c, i8x16.narrow_i16x8_s(packed, packed), 0);
        }
        for (; c < channels; c++) {
          const left = <i32>load<i8>(ll + c) * wll + <i32>load<i8>(lu + c) * wlu;
          const sum = left + <i32>load<i8>(rl + c) * wrl + <i32>load<i8>(ru + c) * wru;
          store<i8>(output + c, <i8>rounded(sum));
        }
        output += channels;
      }
    }
  }
}

/** A value times two weights, one after the other. */
// @ts-ignore: decorator
@inline
function term4(at: usize, first: f32, second: f32): v128 {
  return f32x4.mul(f32x4.mul(v128.load(at), f32x4.splat(first)), f32x4.splat(second));
}

// @ts-ignore: decorator
@inline
function term(at: usize, first: f32, second: f32): f32 {
  return load<f32>(at) * first * second;
}

export function resizeBilinearFloat(
  input: usize, output: usize, rows: usize, height: i32, columns: usize, width: i32, batches: i32, inputHeight: i32,
      inputWidth: i32, channels: i32,
): void {
  const pixel = 4 * channels;
  for (let b = 0; b < batches; b++) {
    for (let y = 0; y < height; y++) {
      const row = rows + lineBytes * <usize>y;
      touch(row, lineBytes);
      const top = input + <usize>((b * inputHeight + load<i32>(row)) * inputWidth * pixel);
      const bottom = input + <usize>((b * inputHeight + load<i32>(row, 4)) * inputWidth * pixel);
      const down = load<f32>(row, 8);
      const up: f32 = 1 - down;
      for (let x = 0; x < width; x++) {
        const column = columns + lineBytes * <usize>x;
        touch(column, lineBytes);
        const left = load<i32>(column) * pixel, right = load<i32>(column, 4) * pixel;
        const across = load<f32>(column, 8);
        const back: f32 = 1 - across;
        const ll = top + left, lu = bottom + left, rl = top + right, ru = bottom + right;
        touch(ll, pixel);
        touch(lu, pixel);
        touch(rl, pixel);
        touch(ru, pixel);
        touch(output, pixel);
        let c = 0;
        for (; c + 16 <= pixel; c += 16) {
          const sum = f32x4.add(f32x4.add(f32x4.add(term4(ll + c, up, back), term4(lu + c, down, back)),
              term4(rl + c, up, across)), term4(ru + c, down, across));
          v128.store(output + c, sum);
        }
        for (; c < pixel; c += 4) {
          store<f32>(output + c, term(ll + c, up, back) + term(lu + c, down, back) + term(rl + c, up,
              across) + term(ru + c, down, across));
        }
        output += pixel;
      }
    }
  }
}
