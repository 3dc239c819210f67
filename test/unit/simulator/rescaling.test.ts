// The fast kernels rescale sums in float32 where that gives what the fixed-point arithmetic does: here for every sum,
// not only at the steps at which the search looks.

import { expect, test } from 'vitest';
import {
  multiplyDoubleRounding,
  multiplySingleRounding,
  quantizeMultiplier,
} from '../../../src/simulator/arithmetic/fixed-point.js';
import {
  type ChannelSums,
  type FloatRescaling,
  floatRescaling,
  type OutputLimits,
  stepsOf,
} from '../../../src/simulator/fast/rescaling.js';
import { drawFrom } from '../../support/random-operators.js';

function channelOf(scale: number): ChannelSums {
  const multiplier = quantizeMultiplier(scale);
  const requantize = (sum: number): number => multiplyDoubleRounding(sum, multiplier.multiplier, multiplier.shift);
  return { lowest: -100, highest: 100, multiplier, requantize, roundsTwice: true };
}

/** What the kernel computes (src/simulator/kernels/assembly/requantize.ts), saturated to the limits. */
function inFloat32({ factor, offsets, shifted }: FloatRescaling, sum: number, { low, high }: OutputLimits): number {
  const scaled = Math.fround(Math.fround(sum - shifted) * factor);
  const result = Math.fround(Math.fround(scaled + offsets[sum - shifted < 0 ? 1 : 0]) + 12582912) - 12582912;
  return Math.max(low, Math.min(high, result));
}

for (const [name, requantize] of Object.entries({ multiplyDoubleRounding, multiplySingleRounding })) {
  test(`${name}: a float32 rescaling gives the same for every sum`, () => {
    let found = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const draw = drawFrom(seed * 104729);
      const multiplier = quantizeMultiplier(10 ** -(draw(15, 50) / 10));
      const zero = draw(-128, 127);
      const limits = { zero, low: draw(0, 1) === 0 ? -128 : zero, high: 127 };
      const channel: ChannelSums = {
        lowest: -draw(0, 60000),
        highest: draw(1, 60000),
        multiplier,
        requantize: (sum) => requantize(sum, multiplier.multiplier, multiplier.shift),
        roundsTwice: false,
      };
      const rescaling = floatRescaling(channel, limits);
      if (rescaling === null) continue;
      found += 1;
      for (let sum = channel.lowest; sum <= channel.highest; sum++) {
        const exact = Math.max(
          limits.low,
          Math.min(limits.high, requantize(sum, multiplier.multiplier, multiplier.shift) + zero),
        );
        const given = inFloat32(rescaling, sum, limits);
        if (given !== exact) expect.fail(`seed ${seed}: sum ${sum} gives ${given}, not ${exact}`);
      }
    }
    expect(found).toBeGreaterThan(45);
  });
}

test('also where the sums end before the results saturate, and where a side of 0 has no steps', () => {
  let found = 0;
  for (let seed = 1; seed <= 20000; seed++) {
    const draw = drawFrom(seed * 31337);
    const multiplier = quantizeMultiplier(draw(1, 1000) * 2 ** -draw(0, 30));
    const requantize = (sum: number): number => multiplyDoubleRounding(sum, multiplier.multiplier, multiplier.shift);
    const lowest = draw(-600, 300);
    const zero = draw(-128, 127);
    const limits = { zero, low: draw(0, 1) === 0 ? -128 : zero, high: 127 };
    const channel: ChannelSums = { lowest, highest: lowest + draw(0, 300), multiplier, requantize, roundsTwice: true };
    const rescaling = floatRescaling(channel, limits);
    if (rescaling === null) continue;
    found += 1;
    for (let sum = channel.lowest; sum <= channel.highest; sum++) {
      const exact = Math.max(limits.low, Math.min(limits.high, requantize(sum) + zero));
      const given = inFloat32(rescaling, sum, limits);
      if (given !== exact) expect.fail(`seed ${seed}: sum ${sum} gives ${given}, not ${exact}`);
    }
  }
  expect(found).toBeGreaterThan(10000);
});

test('sums that leave 32 bits are refused', () => {
  const channel: ChannelSums = { ...channelOf(0.001), lowest: -(2 ** 31) - 1 };
  expect(floatRescaling(channel, { zero: 0, low: -128, high: 127 })).toBeNull();
});

test('a channel that gives the same for every input is an addend', () => {
  expect(floatRescaling(channelOf(1e-9), { zero: 7, low: -128, high: 127 })).toEqual({
    factor: 0,
    offsets: [7, 7],
    shifted: 0,
  });
});

test('the sums at which two roundings step up are computed without a search', () => {
  const limits = { zero: 0, low: -128, high: 127 };
  for (let seed = 1; seed <= 3000; seed++) {
    const draw = drawFrom(seed * 7919);
    const multiplier = { multiplier: draw(2 ** 30, 2 ** 31 - 1), shift: 2 - draw(0, 18) };
    const requantize = (sum: number): number => multiplyDoubleRounding(sum, multiplier.multiplier, multiplier.shift);
    const channel = { lowest: -(2 ** 24), highest: 2 ** 24, multiplier, requantize };
    expect(stepsOf({ ...channel, roundsTwice: true }, limits)).toEqual(
      stepsOf({ ...channel, roundsTwice: false }, limits),
    );
  }
});
