// Rounds the weights of a channel such that its sums are close, rather than the weights: each weight goes up or down,
// whichever reduces the squared error of the sums given the others. Coordinate descent on the objective of M. Nagel et
// al., Up or Down? Adaptive Rounding for Post-Training Quantization (ICML 2020), eq. 13.

import { quantizeWeight } from '../parameters.js';

const maxPasses = 30;

/**
 * Regularization, as a share of the mean variance, that pulls every weight towards its own value: the rows are only a
 * sample.
 */
const pull = 0.01;

/**
 * @param weights of one channel, in float
 * @param covariances of the rows that they multiply, [place, place]
 * @returns the weights as multiples of the scale
 */
export function roundForSums(weights: Float64Array, scale: number, covariances: Float64Array): Float64Array {
  const { length } = weights;
  let trace = 0;
  for (let i = 0; i < length; i++) trace += covariances[i * length + i] as number;
  const weight = (pull * trace) / length;
  const chosen = weights.map((value) => quantizeWeight(value, scale));
  const gradient = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const error = (chosen[i] as number) * scale - (weights[i] as number);
    gradient[i] = (gradient[i] as number) + weight * error;
    for (let j = 0; j < length; j++)
      gradient[j] = (gradient[j] as number) + error * (covariances[i * length + j] as number);
  }
  for (let pass = 0; pass < maxPasses; pass++) {
    let changes = 0;
    for (let i = 0; i < length; i++) {
      const other = otherNeighbour(weights[i] as number, scale, chosen[i] as number);
      if (other === null) continue;
      const change = (other - (chosen[i] as number)) * scale;
      const curvature = (covariances[i * length + i] as number) + weight;
      if (2 * change * (gradient[i] as number) + change * change * curvature >= 0) continue;
      chosen[i] = other;
      for (let j = 0; j < length; j++)
        gradient[j] = (gradient[j] as number) + change * (covariances[i * length + j] as number);
      gradient[i] = (gradient[i] as number) + change * weight;
      changes += 1;
    }
    if (changes === 0) break;
  }
  return chosen.map((q) => q * scale);
}

/**
 * The multiple on the other side of the weight; null if the weight is a multiple itself, or at the end of the range.
 */
function otherNeighbour(weight: number, scale: number, chosen: number): number | null {
  const exact = weight / scale;
  const [low, high] = [Math.floor(exact), Math.ceil(exact)];
  if (Math.abs(exact - Math.round(exact)) < 1e-5) return null;
  const other = chosen === low ? high : low;
  return Math.abs(other) > 127 ? null : other;
}
