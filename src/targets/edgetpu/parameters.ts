// Parameters of mapped operators, in bytes as the compiler lays them out: fitted to public compiled models (207 results
// of 11 repositories). The layout pads output channels to the 16 tiles and input channels to 4; each channel has a
// bias, and per-axis scales beside it.

import { alignUp } from '../../base/alignment.js';
import type { OperatorView } from '../operator-view.js';

export interface ParameterBytes {
  readonly total: number;
  /**
   * What lies in the accelerator's memory from one inference to the next: the least and the most that it may be. The
   * rest is sent every time.
   */
  readonly cached: { readonly min: number; readonly max: number };
}

const block = 64;
const tiles = 16;

/** More than 4 groups of 16 channels come in fours. */
function paddedChannels(channels: number): number {
  const groups = Math.ceil(channels / tiles);
  return tiles * (groups > 4 ? alignUp(groups, 4) : groups);
}

/**
 * Dense layers of more inputs are sent at every inference, their biases excepted: 5,904 are shown to be cached, 9,504
 * not.
 */
const maxCachedInputs = 8192;

/** Models of fewer bytes are shown to be cached whole. */
const surelyCached = 1_000_000;

/** The accelerator's memory, which holds activations and programs too. */
const memoryBytes = 8 * 1024 * 1024;

/** @param mapped operators that the Edge TPU runs */
export function parameterBytes(mapped: readonly OperatorView[]): ParameterBytes {
  const total = mapped.reduce((sum, view) => sum + bytesOf(view), 0);
  const streamed = mapped.reduce((sum, view) => sum + streamedBytesOf(view), 0);
  const max = Math.min(total - streamed, memoryBytes);
  return { total, cached: { min: Math.min(max, surelyCached), max } };
}

function bytesOf({ op, inputs }: OperatorView): number {
  const weights = inputs[1];
  if (weights == null) return 0;
  const { shape, perAxis } = weights;
  const perChannel = perAxis ? 8 : 4;
  switch (op) {
    case 'CONV_2D': {
      const [channels = 0, height = 0, width = 0, depth = 0] = shape;
      // A single channel takes half of the tiles.
      const padded = channels === 1 ? tiles / 2 : paddedChannels(channels);
      return alignUp(padded * (height * width * alignUp(depth, 4) + perChannel), block);
    }
    case 'FULLY_CONNECTED': {
      const [channels = 0, depth = 0] = shape;
      return alignUp(paddedChannels(channels) * (alignUp(depth, 4) + perChannel), block);
    }
    case 'DEPTHWISE_CONV_2D': {
      const [, height = 0, width = 0, channels = 0] = shape;
      const taps = height * width;
      const beside = perAxis ? (taps === 1 ? 8 : 16) : 4;
      return alignUp(channels * (4 * taps + beside), block);
    }
    default:
      return 0;
  }
}

function streamedBytesOf({ op, inputs }: OperatorView): number {
  const [channels = 0, depth = 0] = inputs[1]?.shape ?? [];
  return op === 'FULLY_CONNECTED' && depth > maxCachedInputs ? paddedChannels(channels) * alignUp(depth, 4) : 0;
}
