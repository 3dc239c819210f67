// Weights as the kernels want them: panels of 8 output channels with all that belongs to these. Where the channels are no multiple
// of 8 the last panel overlaps the one before; fewer than 8 channels make one panel, padded with zeros.

import { int32Max, int32Min, multiplyDoubleRounding } from '../arithmetic/fixed-point.js';
import type { ChannelMultipliers } from '../operators/requantize.js';
import { constantBias, constantRescaling, constantsBytes, isExact, type Rescaling, writeConstants } from './rescaling.js';

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

/** Weights as panels, and which way of rescaling they were made for. */
interface Packed {
  readonly positive: boolean;
}

/** 8 x int32 bias, then the constants of the rescaling. */
const headerBytes = 4 * panelChannels + constantsBytes;

/**
 * Panels of int8 operators: the header, into whose bias the input's zero point is folded, then int8 weights in pairs of positions,
 * 8 channels each.
 * @param onlyPositive whether only results at or above the output's zero point matter
 * @returns null where the kernels' rescaling would not be exact
 */
export function int8Panels(weights: Int8Weights, onlyPositive: boolean): (Packed & { readonly panels: Uint8Array }) | null {
  const { channels, depth } = weights;
  const starts = panelStarts(channels);
  const weightBytes = 2 * Math.ceil(depth / 2) * panelChannels;
  const out = new Uint8Array(starts.length * (headerBytes + weightBytes));
  const positive = eachPanel(weights, onlyPositive, (panel, header, c, values) => {
    const at = panel * (headerBytes + weightBytes);
    out.set(header, at);
    for (let i = 0; i < values.length; i++) out[at + headerBytes + (i >> 1) * 2 * panelChannels + 2 * c + (i & 1)] = values[i] as number;
  });
  return positive === null ? null : { panels: out, positive };
}

/** Tap pairs of the kernel for neighbours under 3x3 filters, by tap; null stands for a weight of 0. */
const neighbourTaps: readonly (readonly [number | null, number | null])[] = [
  [0, 3],
  [1, 4],
  [2, 5],
  [6, 7],
  [8, null],
  [null, 6],
  [7, 8],
];

/** The weights of depthwise 3x3 filters for that kernel: for each block of 8 channels its tap pairs. */
export function neighbourPanels(values: (channel: number, tap: number) => number, channels: number): Int16Array {
  const starts = panelStarts(channels);
  const perPair = 2 * panelChannels;
  const out = new Int16Array(starts.length * neighbourTaps.length * perPair);
  for (const [panel, start] of starts.entries()) {
    for (const [pair, taps] of neighbourTaps.entries()) {
      for (let c = 0; c < panelChannels; c++) {
        for (const [half, tap] of taps.entries()) {
          out[(panel * neighbourTaps.length + pair) * perPair + 2 * c + half] = tap === null ? 0 : values(start + c, tap);
        }
      }
    }
  }
  return out;
}

export interface DepthwisePanels extends Packed {
  readonly headers: Uint8Array;
  readonly values: Int16Array;
  /** A weight as the kernel is to use it: that of a channel whose result is constant is 0. */
  readonly weight: (channel: number, tap: number) => number;
}

/**
 * The same for depthwise: all headers, and apart from them int16 weights, in pairs of taps, for each pair all blocks of 8 channels.
 * @returns null where the kernels' rescaling would not be exact
 */
export function depthwisePanels(weights: Int8Weights, onlyPositive: boolean): DepthwisePanels | null {
  const starts = panelStarts(weights.channels);
  const panels = starts.length;
  const headers = new Uint8Array(panels * headerBytes);
  const packed = new Int16Array(panels * 2 * panelChannels * Math.ceil(weights.depth / 2));
  const kept = new Int16Array(weights.channels * weights.depth);
  const positive = eachPanel(weights, onlyPositive, (panel, header, c, values) => {
    headers.set(header, panel * headerBytes);
    kept.set(values, ((starts[panel] as number) + c) * weights.depth);
    for (let i = 0; i < values.length; i++) packed[((i >> 1) * panels + panel) * 2 * panelChannels + 2 * c + (i & 1)] = values[i] as number;
  });
  return positive === null ? null : { headers, values: packed, positive, weight: (channel, tap) => kept[channel * weights.depth + tap] as number };
}

type Visit = (panel: number, header: Uint8Array, column: number, values: Int32Array) => void;

/**
 * Visits every channel of every panel, in order, with the panel's header so far.
 * @returns whether for positive results only, which is tried first where that is enough; null where neither way is exact
 */
function eachPanel(weights: Int8Weights, onlyPositive: boolean, visit: Visit): boolean | null {
  if (onlyPositive && eachPanelAs(weights, true, visit)) return true;
  return eachPanelAs(weights, false, visit) ? false : null;
}

function eachPanelAs(weights: Int8Weights, positive: boolean, visit: Visit): boolean {
  for (const [panel, start] of panelStarts(weights.channels).entries()) {
    const header = new ArrayBuffer(headerBytes);
    const biases = new Int32Array(header, 0, panelChannels);
    const constants = new DataView(header, 4 * panelChannels);
    for (let c = 0; c < Math.min(panelChannels, weights.channels); c++) {
      const channel = channelOf(weights, start + c, positive);
      if (channel === null) return false;
      biases[c] = channel.bias;
      writeConstants(constants, c, channel, positive);
      visit(panel, new Uint8Array(header), c, channel.values);
    }
  }
  return true;
}

interface Channel extends Rescaling {
  readonly bias: number;
  readonly values: Int32Array;
}

function channelOf({ weight, depth, bias, inputZero, multipliers }: Int8Weights, channel: number, positive: boolean): Channel | null {
  const values = Int32Array.from({ length: depth }, (_, i) => weight(channel, i));
  const own = bias[channel] as number;
  const rescaling = { multiplier: multipliers.multiplier[channel] as number, shift: multipliers.shift[channel] as number };
  let sum = 0;
  let [lowest, highest] = [own, own];
  for (const value of values) {
    sum += value;
    lowest += value * (value > 0 ? -128 - inputZero : 127 - inputZero);
    highest += value * (value > 0 ? 127 - inputZero : -128 - inputZero);
  }
  if (isExact(rescaling, positive, Math.max(-lowest, highest))) return { ...rescaling, bias: own - inputZero * sum, values };
  // Dead channels have tiny scales: whatever the input, they give the same.
  // Without a shift to the left, which may wrap, results grow with sums.
  if (rescaling.shift > 0 || lowest < int32Min || highest > int32Max) return null;
  const resultOf = (total: number): number => {
    const result = multiplyDoubleRounding(total, rescaling.multiplier, rescaling.shift);
    return Math.max(positive ? 0 : -512, Math.min(512, result));
  };
  if (resultOf(lowest) !== resultOf(highest)) return null;
  return { ...constantRescaling, bias: constantBias(resultOf(lowest)), values: new Int32Array(depth) };
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
