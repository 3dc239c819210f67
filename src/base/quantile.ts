/**
 * A quantile of sorted values, interpolated between the two nearest: type 7 of Hyndman and Fan (1996), the default of
 * numpy.quantile.
 * @param sorted in ascending order
 * @param share from 0 to 1; 0.5 is the median
 * @returns NaN where there are no values
 */
export function quantileOf(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(position)] ?? Number.NaN, sorted[Math.ceil(position)] ?? Number.NaN];
  return low + (position - Math.floor(position)) * (high - low);
}
