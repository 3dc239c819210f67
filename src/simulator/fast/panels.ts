// Packs weights for the kernels: panels of 8 output channels with all their constants. If the number of channels is not
// a multiple of 8, the last panel overlaps the previous one; fewer than 8 channels make one panel, padded with zeros.

import { multiplyDoubleRounding } from '../arithmetic/fixed-point.js';
import type { ChannelRequantize } from '../arithmetic/profile.js';
import type { ChannelMultipliers } from '../operators/requantize.js';
import {
  type ChannelSums,
  constantsBytes,
  floatRescaling,
  isExactInFixedPoint,
  type OutputLimits,
  writeFixedPointConstants,
  writeFloatConstants,
} from './rescaling.js';

export const panelChannels = 8;

/** The first channel of every panel. */
function panelStarts(channels: number): number[] {
  const starts: number[] = [];
  for (let channel = 0; channel < channels; channel += panelChannels)
    starts.push(Math.max(0, Math.min(channel, channels - panelChannels)));
  return starts;
}

export interface Int8Weights {
  /** The weight of a channel at a position in the filter. */
  readonly weight: (channel: number, position: number) => number;
  readonly channels: number;
  readonly depth: number;
  readonly bias: Int32Array;
  readonly inputZero: number;
  readonly multipliers: ChannelMultipliers;
  readonly requantize: ChannelRequantize;
  readonly limits: OutputLimits;
}

const longSums = 512;

/** 8 x int32 bias, then the constants of the rescaling. */
const headerBytes = 4 * panelChannels + constantsBytes;

/**
 * Panels of int8 operators: the header, with the input's zero point folded into the bias, then int8 weights in pairs of
 * positions, 8 channels each.
 * @returns null if the kernels' rescaling would not be exact
 */
export function int8Panels(weights: Int8Weights): Uint8Array | null {
  const { channels, depth, weight } = weights;
  const starts = panelStarts(channels);
  const weightBytes = 2 * Math.ceil(depth / 2) * panelChannels;
  const out = new Uint8Array(starts.length * (headerBytes + weightBytes));
  for (const [panel, start] of starts.entries()) {
    const at = panel * (headerBytes + weightBytes);
    const header = headerOf(weights, start);
    if (header === null) return null;
    out.set(header, at);
    for (let c = 0; c < Math.min(panelChannels, channels); c++) {
      for (let i = 0; i < depth; i++)
        out[at + headerBytes + (i >> 1) * 2 * panelChannels + 2 * c + (i & 1)] = weight(start + c, i);
    }
  }
  return out;
}

/** Pairs of taps, by tap index, for the kernel that computes neighbours of 3x3 filters; null is a weight of 0. */
const neighbourTaps: readonly (readonly [number | null, number | null])[] = [
  [0, 3],
  [1, 4],
  [2, 5],
  [6, 7],
  [8, null],
  [null, 6],
  [7, 8],
];

/** The weights of depthwise 3x3 filters for that kernel: the pairs of taps for each block of 8 channels. */
export function neighbourPanels(values: (channel: number, tap: number) => number, channels: number): Int16Array {
  const starts = panelStarts(channels);
  const perPair = 2 * panelChannels;
  const out = new Int16Array(starts.length * neighbourTaps.length * perPair);
  for (const [panel, start] of starts.entries()) {
    for (const [pair, taps] of neighbourTaps.entries()) {
      for (let c = 0; c < panelChannels; c++) {
        for (const [half, tap] of taps.entries()) {
          out[(panel * neighbourTaps.length + pair) * perPair + 2 * c + half] =
            tap === null ? 0 : values(start + c, tap);
        }
      }
    }
  }
  return out;
}

export interface DepthwisePanels {
  readonly headers: Uint8Array;
  readonly values: Int16Array;
}

/**
 * The same for depthwise: all headers, and separately int16 weights, in pairs of taps, all blocks of 8 channels for
 * each pair.
 * @returns null if the kernels' rescaling would not be exact
 */
export function depthwisePanels(weights: Int8Weights): DepthwisePanels | null {
  const starts = panelStarts(weights.channels);
  const panels = starts.length;
  const headers = new Uint8Array(panels * headerBytes);
  const values = new Int16Array(panels * 2 * panelChannels * Math.ceil(weights.depth / 2));
  for (const [panel, start] of starts.entries()) {
    const header = headerOf(weights, start);
    if (header === null) return null;
    headers.set(header, panel * headerBytes);
    for (let c = 0; c < panelChannels; c++) {
      for (let i = 0; i < weights.depth; i++)
        values[((i >> 1) * panels + panel) * 2 * panelChannels + 2 * c + (i & 1)] = weights.weight(start + c, i);
    }
  }
  return { headers, values };
}

/**
 * The header of the panel that starts at a channel; null if no method of rescaling is exact for all of its channels.
 */
function headerOf(weights: Int8Weights, start: number): Uint8Array | null {
  const header = new Uint8Array(headerBytes);
  const constants = new DataView(header.buffer, 4 * panelChannels);
  const sums = Array.from({ length: Math.min(panelChannels, weights.channels) }, (_, c) => sumsOf(weights, start + c));
  // With many products per sum, rescaling is a small part of the cost, and searching a faster method is not worth it.
  const inFloat = weights.depth > longSums ? [null] : sums.map((channel) => floatRescaling(channel, weights.limits));
  const exact = inFloat.every((rescaling) => rescaling !== null);
  if (exact) writeFloatConstants(constants, inFloat);
  else if (sums.every((channel) => isExactInFixedPoint(channel, weights.limits)))
    writeFixedPointConstants(constants, sums, weights.limits);
  else return null;
  const biases = sums.map(({ bias }, c) => bias - (exact ? (inFloat[c]?.shifted ?? 0) : 0));
  new Int32Array(header.buffer, 0, panelChannels).set(biases);
  return header;
}

/** The range of a channel's sums, and its bias including the input's zero point. */
function sumsOf(weights: Int8Weights, channel: number): ChannelSums & { readonly bias: number } {
  const { weight, channels, depth, bias, inputZero, multipliers, requantize } = weights;
  const own = bias[channel] as number;
  let sum = 0;
  let [lowest, highest] = [own, own];
  for (let i = 0; i < depth; i++) {
    const value = weight(channel, i);
    sum += value;
    lowest += value * (value > 0 ? -128 - inputZero : 127 - inputZero);
    highest += value * (value > 0 ? 127 - inputZero : -128 - inputZero);
  }
  const [multiplier, shift, real] = [
    multipliers.multiplier[channel],
    multipliers.shift[channel],
    multipliers.real[channel],
  ] as [number, number, number];
  return {
    bias: own - inputZero * sum,
    lowest,
    highest,
    multiplier: { multiplier, shift },
    requantize: (total) => requantize(total, multiplier, shift, real, channel, channels),
    roundsTwice: requantize === multiplyDoubleRounding,
  };
}

/** Panels of float operators: 8 x bias, then 8 weights for each position. */
export function floatPanels(
  channels: number,
  depth: number,
  bias: Float32Array,
  weight: (channel: number, position: number) => number,
): Float32Array {
  const starts = panelStarts(channels);
  const perPanel = panelChannels * (1 + depth);
  const out = new Float32Array(starts.length * perPanel);
  for (const [p, start] of starts.entries()) {
    for (let c = 0; c < Math.min(panelChannels, channels); c++) {
      const channel = start + c;
      out[p * perPanel + c] = bias[channel] as number;
      for (let i = 0; i < depth; i++) out[p * perPanel + panelChannels * (1 + i) + c] = weight(channel, i);
    }
  }
  return out;
}
