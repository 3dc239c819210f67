// Parameter bytes of mapped operators in the compiler's layout, fitted to public compiled models (207 results of 11
// repositories). The layout pads output channels to the 16 tiles and input channels to 4; each channel has a bias and,
// if quantized per axis, a scale.

import { alignUp } from '../../base/alignment.js';
import type { OperatorView } from '../operator-view.js';

export interface ParameterBytes {
  readonly total: number;
  /**
   * Bytes that stay in the accelerator's memory between inferences, minimum and maximum. The rest is sent each time.
   */
  readonly cached: { readonly min: number; readonly max: number };
}

const block = 64;
const tiles = 16;

/** More than 4 groups of 16 channels are padded to multiples of 4. */
function paddedChannels(channels: number): number {
  const groups = Math.ceil(channels / tiles);
  return tiles * (groups > 4 ? alignUp(groups, 4) : groups);
}

/**
 * Dense layers with more inputs are sent with every inference, except their biases: 5,904 are known to be cached, 9,504
 * not to be.
 */
const maxCachedInputs = 8192;

/** Smaller models are known to be cached completely. */
const surelyCached = 1_000_000;

/** The accelerator's memory also holds activations and programs. */
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
      // A single channel uses half of the tiles.
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
