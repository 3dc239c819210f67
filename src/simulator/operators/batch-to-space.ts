// SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: blocks of the spatial dimensions to and from the batch.

import { constantIntegers } from './axes.js';
import {
  anyType,
  copyFamily,
  inputOf,
  invalid,
  type OperatorContext,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';
import { forEachPosition, strides } from './positions.js';
import { gatherElements } from './rearrange.js';
import { whereKnown } from './shapes.js';

interface Blocks {
  readonly block: readonly number[];
  /** Two amounts for each spatial dimension: paddings, or crops. */
  readonly amounts: readonly number[];
}

function blocksOf(context: OperatorContext): Blocks {
  const rank = inputOf(context, 0).shape.length;
  const block = constantIntegers(context, inputOf(context, 1));
  const amounts = constantIntegers(context, inputOf(context, 2));
  if (
    block.length > rank - 1 ||
    amounts.length !== 2 * block.length ||
    block.some((size) => size < 1) ||
    amounts.some((amount) => amount < 0)
  ) {
    throw invalid(context, `blocks [${block.join(', ')}] and amounts [${amounts.join(', ')}] for ${rank} dimensions`);
  }
  return { block, amounts };
}

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

function spaceToBatchShape(context: OperatorContext): readonly number[][] {
  const input = inputOf(context, 0);
  const { block, amounts } = blocksOf(context);
  const padded = block.map(
    (_, d) => (input.shape[d + 1] as number) + (amounts[2 * d] as number) + (amounts[2 * d + 1] as number),
  );
  if (padded.some((size, d) => size % (block[d] as number) !== 0))
    throw invalid(context, `[${padded.join(', ')}] does not divide into blocks`);
  const batches = (input.shape[0] as number) * product(block);
  return [[batches, ...padded.map((size, d) => size / (block[d] as number)), ...input.shape.slice(1 + block.length)]];
}

function prepareSpaceToBatch(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const { block, amounts } = blocksOf(context);
  const batches = input.shape[0] as number;
  requireType(context, output, input.type);
  const stride = strides(input.shape);
  const table = new Int32Array(output.count);
  forEachPosition(output.shape, (position, index) => {
    let within = Math.floor((position[0] as number) / batches);
    let at = ((position[0] as number) % batches) * (stride[0] as number);
    for (let d = block.length - 1; d >= 0; d--) {
      const from =
        (position[d + 1] as number) * (block[d] as number) +
        (within % (block[d] as number)) -
        (amounts[2 * d] as number);
      within = Math.floor(within / (block[d] as number));
      at = from < 0 || from >= (input.shape[d + 1] as number) ? Number.NaN : at + from * (stride[d + 1] as number);
    }
    for (let d = block.length + 1; d < position.length; d++) at += (position[d] as number) * (stride[d] as number);
    table[index] = Number.isNaN(at) ? -1 : at;
  });
  const zero = (input.type === 'int64' ? 0n : 0) as number;
  const outside = input.scale.length > 0 ? quantizationOf(context, output).zeroPoint : zero;
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = table[i] === -1 ? outside : (from[table[i] as number] as number);
  };
}

function batchToSpaceShape(context: OperatorContext): readonly number[][] {
  const input = inputOf(context, 0);
  const { block, amounts } = blocksOf(context);
  const batches = (input.shape[0] as number) / product(block);
  if (!Number.isInteger(batches)) throw invalid(context, `a batch of ${input.shape[0]} does not divide into blocks`);
  const spatial = block.map(
    (size, d) => (input.shape[d + 1] as number) * size - (amounts[2 * d] as number) - (amounts[2 * d + 1] as number),
  );
  if (spatial.some((size) => size < 0)) throw invalid(context, `crops [${amounts.join(', ')}] larger than the image`);
  return [[batches, ...spatial, ...input.shape.slice(1 + block.length)]];
}

function prepareBatchToSpace(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const { block, amounts } = blocksOf(context);
  const batches = output.shape[0] as number;
  requireType(context, output, input.type);
  const stride = strides(input.shape);
  const table = new Int32Array(output.count);
  forEachPosition(output.shape, (position, index) => {
    let [within, at] = [0, 0];
    for (let d = 0; d < block.length; d++) {
      const full = (position[d + 1] as number) + (amounts[2 * d] as number);
      within = within * (block[d] as number) + (full % (block[d] as number));
      at += Math.floor(full / (block[d] as number)) * (stride[d + 1] as number);
    }
    for (let d = block.length + 1; d < position.length; d++) at += (position[d] as number) * (stride[d] as number);
    table[index] = at + (within * batches + (position[0] as number)) * (stride[0] as number);
  });
  return gatherElements(input, output, table);
}

export const spaceToBatchNd = copyFamily(
  'SPACE_TO_BATCH_ND',
  anyType,
  whereKnown(spaceToBatchShape, 1, 2),
  prepareSpaceToBatch,
);
export const batchToSpaceNd = copyFamily(
  'BATCH_TO_SPACE_ND',
  anyType,
  whereKnown(batchToSpaceShape, 1, 2),
  prepareBatchToSpace,
);
