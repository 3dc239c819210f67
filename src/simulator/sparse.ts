// Expands sparse constants from the stored elements and the traversal of dimensions and blocks
// (tensorflow/lite/schema/schema.fbs, SparsityParameters; after the TACO format).

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { DimensionType, elementCount, type SparsityParameters } from '../formats/tflite/index.js';

const maxLevels = 32;

/**
 * The bytes of all elements, 0 where none is stored.
 * @param stored the stored elements in traversal order
 * @throws TFLITE_INVALID
 */
export function denseBytes(
  stored: Uint8Array,
  elementBytes: number,
  shape: readonly number[],
  sparsity: SparsityParameters,
  where: string,
): Uint8Array {
  const invalid = (reason: string): Error => fail('TFLITE_INVALID', { reason: `its sparsity ${reason}`, where });
  const order = Array.from(sparsity.traversalOrder ?? []);
  const blockMap = Array.from(sparsity.blockMap ?? []);
  const levels = sparsity.dimMetadata;
  const rank = shape.length;
  if (
    order.length > maxLevels ||
    order.length !== rank + blockMap.length ||
    levels.length !== order.length ||
    !order.toSorted((a, b) => a - b).every((d, i) => d === i)
  ) {
    throw invalid(
      `has ${levels.length} levels in the order [${order.join(', ')}] for ${rank} dimensions and ` +
        `${blockMap.length} blocks`,
    );
  }
  if (blockMap.some((dimension) => dimension < 0 || dimension >= rank))
    throw invalid(`has blocks of the dimensions [${blockMap.join(', ')}] of ${rank}`);
  const blockSizes = blockMap.map((_, block) => levels[order.indexOf(rank + block)]?.denseSize ?? 0);
  for (const [level, dimension] of order.entries()) {
    const { format, denseSize } = elementAt(levels, level);
    if (dimension >= rank && (format === DimensionType.SPARSE_CSR || denseSize < 1))
      throw invalid(`has a block of ${denseSize}`);
    const block = blockMap.reduce((size, of, b) => (of === dimension ? size * elementAt(blockSizes, b) : size), 1);
    if (dimension < rank && format !== DimensionType.SPARSE_CSR && denseSize * block !== shape[dimension]) {
      throw invalid(`has ${denseSize} blocks of ${block} along dimension ${dimension} of [${shape.join(', ')}]`);
    }
  }
  const dense = new Uint8Array(elementCount(shape) * elementBytes);
  const position = new Array<number>(order.length).fill(0);
  let from = 0;

  const place = (): void => {
    const inBlocks = position.slice(0, rank);
    for (const [block, dimension] of blockMap.entries()) {
      inBlocks[dimension] =
        elementAt(inBlocks, dimension) * elementAt(blockSizes, block) + elementAt(position, rank + block);
    }
    if (inBlocks.some((at, d) => at < 0 || at >= elementAt(shape, d)))
      throw invalid(`names the element [${inBlocks.join(', ')}] of [${shape.join(', ')}]`);
    if (from + elementBytes > stored.byteLength)
      throw invalid(`names more elements than the ${stored.byteLength / elementBytes} that are stored`);
    const at = inBlocks.reduce((index, inDimension, d) => index * elementAt(shape, d) + inDimension, 0);
    dense.set(stored.subarray(from, from + elementBytes), at * elementBytes);
    from += elementBytes;
  };
  /** Visits a level's indices under the `parent`-th index of the level above. */
  const visit = (level: number, parent: number): void => {
    if (level === order.length) return place();
    const dimension = elementAt(levels, level);
    const along = elementAt(order, level);
    if (dimension.format !== DimensionType.SPARSE_CSR) {
      for (let i = 0; i < dimension.denseSize; i++) {
        position[along] = i;
        visit(level + 1, parent * dimension.denseSize + i);
      }
      return;
    }
    const segments = dimension.arraySegments?.values;
    const indices = dimension.arrayIndices?.values;
    const [begin, end] = [segments?.[parent], segments?.[parent + 1]];
    if (indices == null || begin === undefined || end === undefined || begin < 0 || end > indices.length) {
      throw invalid(`has no segment ${parent} in level ${level}`);
    }
    for (let i = begin; i < end; i++) {
      position[along] = elementAt(indices, i);
      visit(level + 1, i);
    }
  };
  visit(0, 0);
  if (from !== stored.byteLength)
    throw invalid(`names ${from / elementBytes} of the ${stored.byteLength / elementBytes} elements that are stored`);
  return dense;
}
