// Weights as the kernels want them: panels of 8 output channels with all that belongs to these. Where the channels are no multiple
// of 8 the last panel overlaps the one before; fewer than 8 channels make one panel, padded with zeros.

import { int32Max, int32Min, multiplyDoubleRounding } from '../arithmetic/fixed-point.js';
import type { ChannelMultipliers } from '../operators/requantize.js';

export const panelChannels = 8;

/** The first channel of every panel. */
function panelStarts(channels: number): number[] {
  const starts: number[] = [];
  for (let channel = 0; channel < channels; channel += panelChannels) starts.push(Math.max(0, Math.min(channel, channels - panelChannels)));
  return starts;
}

export interface Int8Weights {
  /** The weight of a channel at a position along the filter. */
  readonly weight: (channel: number, position: number) => number;
  readonly channels: number;
  readonly depth: number;
  readonly bias: Int32Array;
  readonly inputZero: number;
  readonly multipliers: ChannelMultipliers;
}

/** 8 x int32 bias, 8 x int32 multiplier, 8 x float32 power of two. */
const headerBytes = 3 * 4 * panelChannels;

/**
 * Panels of int8 operators: the header, into whose bias the input's zero point is folded, then int8 weights in pairs of positions,
 * 8 channels each.
 * @returns null where the kernels' rescaling (src/kernels/assembly/requantize.ts) would not be exact
 */
export function int8Panels(weights: Int8Weights): Uint8Array | null {
  const { channels, depth } = weights;
  const starts = panelStarts(channels);
  const weightBytes = 2 * Math.ceil(depth / 2) * panelChannels;
  const out = new Uint8Array(starts.length * (headerBytes + weightBytes));
  const fits = eachPanel(weights, (panel, header, c, values) => {
    const at = panel * (headerBytes + weightBytes);
    out.set(header, at);
    for (let i = 0; i < values.length; i++) out[at + headerBytes + (i >> 1) * 2 * panelChannels + 2 * c + (i & 1)] = values[i] as number;
  });
  return fits ? out : null;
}

/**
 * The same for depthwise: all headers, and apart from them int16 weights, in pairs of taps, for each pair all blocks of 8 channels.
 * @returns null where the kernels' rescaling would not be exact
 */
export function depthwisePanels(weights: Int8Weights): { readonly headers: Uint8Array; readonly values: Int16Array } | null {
  const panels = panelStarts(weights.channels).length;
  const headers = new Uint8Array(panels * headerBytes);
  const packed = new Int16Array(panels * 2 * panelChannels * Math.ceil(weights.depth / 2));
  const fits = eachPanel(weights, (panel, header, c, values) => {
    headers.set(header, panel * headerBytes);
    for (let i = 0; i < values.length; i++) packed[((i >> 1) * panels + panel) * 2 * panelChannels + 2 * c + (i & 1)] = values[i] as number;
  });
  return fits ? { headers, values: packed } : null;
}

/** Visits every channel of every panel, in order, with the panel's header so far. @returns false where a channel cannot be rescaled exactly */
function eachPanel(weights: Int8Weights, visit: (panel: number, header: Uint8Array, column: number, values: Int32Array) => void): boolean {
  for (const [panel, start] of panelStarts(weights.channels).entries()) {
    const header = new ArrayBuffer(headerBytes);
    const integers = new Int32Array(header, 0, 2 * panelChannels);
    const scales = new Float32Array(header, 2 * 4 * panelChannels, panelChannels);
    for (let c = 0; c < Math.min(panelChannels, weights.channels); c++) {
      const channel = channelOf(weights, start + c);
      if (channel === null) return false;
      integers[c] = channel.bias;
      integers[panelChannels + c] = channel.multiplier;
      scales[c] = 2 ** (channel.shift - 1);
      visit(panel, new Uint8Array(header), c, channel.values);
    }
  }
  return true;
}

interface Channel {
  readonly bias: number;
  readonly multiplier: number;
  readonly shift: number;
  readonly values: Int32Array;
}

function channelOf({ weight, depth, bias, inputZero, multipliers }: Int8Weights, channel: number): Channel | null {
  const values = Int32Array.from({ length: depth }, (_, i) => weight(channel, i));
  const own = bias[channel] as number;
  const multiplier = multipliers.multiplier[channel] as number;
  const shift = multipliers.shift[channel] as number;
  let sum = 0;
  let [lowest, highest] = [own, own];
  for (const value of values) {
    sum += value;
    lowest += value * (value > 0 ? -128 - inputZero : 127 - inputZero);
    highest += value * (value > 0 ? 127 - inputZero : -128 - inputZero);
  }
  if (isExact(multiplier, shift, Math.max(-lowest, highest))) return { bias: own - inputZero * sum, multiplier, shift, values };
  // Dead channels have tiny scales: whatever the input, they give the same.
  if (lowest < int32Min || highest > int32Max) return null;
  const result = multiplyDoubleRounding(lowest, multiplier, shift);
  if (result !== multiplyDoubleRounding(highest, multiplier, shift)) return null;
  return constantChannel(Math.max(-512, Math.min(512, result)), depth);
}

/** A channel that gives `result` whatever the input: 4 * result times 2^30 / 2^31, divided by 2. */
function constantChannel(result: number, depth: number): Channel {
  return { bias: 4 * result, multiplier: 2 ** 30, shift: -1, values: new Int32Array(depth) };
}

/**
 * Whether the kernels' rescaling gives every int8 result exactly. Twice the rounded sum must stay whole in float32: with 14 bits of
 * fraction and 8 before the point it does, and larger ones saturate; or else all sums are small enough.
 */
function isExact(multiplier: number, shift: number, largestSum: number): boolean {
  const largest = (largestSum * multiplier) / 2 ** 31;
  return shift <= -1 && largest < 2 ** 30 && (shift >= -14 || largest < 2 ** 23 - 1) && largest * 2 ** shift < 2 ** 22 - 512;
}

/** Panels of float operators: 8 x bias, then 8 weights for each position. */
export function floatPanels(channels: number, depth: number, bias: Float32Array, weight: (channel: number, position: number) => number): Float32Array {
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
