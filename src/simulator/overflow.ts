// 32-bit accumulators wrap, here as on the device. Which channels can overflow depends on the weights alone: no input
// gives more than |bias| + 255 * sum|w|.

import { elementAt } from '../base/checked.js';
import {
  constantBytes,
  elementCount,
  type Model,
  mainSubgraph,
  operatorName,
  TensorType,
  tensorLabel,
  weightsAxis,
} from '../formats/tflite/index.js';

export interface OverflowRisk {
  readonly operator: number;
  readonly op: string;
  /** The weights, for messages. */
  readonly tensor: string;
  /** The first channel at risk, and the number of channels at risk. */
  readonly channel: number;
  readonly channels: number;
}

/** The int8 operators with weights whose accumulator can overflow for some input. */
export function overflowRisks(model: Model): OverflowRisk[] {
  const subgraph = mainSubgraph(model);
  return subgraph.operators.flatMap((operator, index): OverflowRisk[] => {
    const op = operatorName(model, operator);
    const axis = weightsAxis[op];
    const [, weightsIndex = -1, biasIndex = -1] = operator.inputs ?? [];
    const weights = subgraph.tensors[weightsIndex];
    const bytes = weights === undefined ? null : constantBytes(model, weights);
    if (axis === undefined || weights === undefined || bytes === null || weights.type !== TensorType.INT8) return [];
    const bias = subgraph.tensors[biasIndex];
    const sums = channelSums(bytes, Array.from(weights.shape ?? []), axis);
    const biasBytes = bias === undefined || bias.type !== TensorType.INT32 ? null : constantBytes(model, bias);
    const biasView =
      biasBytes === null ? null : new DataView(biasBytes.buffer, biasBytes.byteOffset, biasBytes.byteLength);
    const atRisk = Array.from(sums.keys()).filter((c) => {
      const own = biasView !== null && 4 * c + 4 <= biasView.byteLength ? Math.abs(biasView.getInt32(4 * c, true)) : 0;
      return own + 255 * elementAt(sums, c) >= 2 ** 31;
    });
    const [first] = atRisk;
    return first === undefined
      ? []
      : [{ operator: index, op, tensor: tensorLabel(weightsIndex, weights), channel: first, channels: atRisk.length }];
  });
}

/** Sum of magnitudes of each output channel's weights. */
function channelSums(bytes: Uint8Array, shape: readonly number[], axis: number): Float64Array {
  const count = shape[axis] ?? 0;
  const inner = elementCount(shape.slice(axis + 1));
  const sums = new Float64Array(Math.min(count, bytes.byteLength));
  if (count === 0) return sums;
  bytes.forEach((byte, i) => {
    const c = Math.floor(i / inner) % count;
    sums[c] = (sums[c] ?? 0) + Math.abs((byte << 24) >> 24);
  });
  return sums;
}
