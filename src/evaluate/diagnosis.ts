// Finds the likely cause for which a tensor's quantized values differ much from the float ones: the first matching rule
// of a list.

import { type Model, mainSubgraph, weightsAxis } from '../formats/tflite/index.js';

/**
 * - fixed-range: the operator fixes the range of its output and amplifies the error of its input
 * - clamped: a share of the values is outside the range
 * - inherited: an input has an error of the same size
 * - wide-range: most of the error is rounding, and the range is much wider than the typical values
 * - shared-scale: all channels of the weights share one scale
 * - weights: the error comes from the weights
 * - stored-weights: the tensor is float, and the error comes from stored weights
 * - coarse: the operator's int8 form is imprecise
 */
export type ErrorCause =
  | 'fixed-range'
  | 'clamped'
  | 'inherited'
  | 'wide-range'
  | 'shared-scale'
  | 'weights'
  | 'stored-weights'
  | 'coarse';

/** The likely cause of a tensor's error. */
export interface Diagnosis {
  readonly cause: ErrorCause;
  /** The input that causes the error, for `fixed-range` and `inherited`; otherwise null. */
  readonly input: Pick<ComparedTensor, 'op' | 'operator'> | null;
  /** Share of values outside the range. */
  readonly saturation: number;
}

/** Operators whose output range is fixed. */
const fixedRange = new Set(['SOFTMAX', 'LOGISTIC', 'TANH', 'LOG_SOFTMAX', 'L2_NORMALIZATION']);
/** Share of clamped values above which clamping is the cause. */
const clampedShare = 0.001;

/** Facts that the rules use. */
export interface ComparedTensor {
  readonly op: string | null;
  readonly operator: number | null;
  /** Root mean square of the errors, in steps of the quantization; null for a float tensor. */
  readonly rmsePerScale: number | null;
  /** In dB; null if both are equal. */
  readonly signalToNoise: number | null;
  /** Share of the values outside the range. */
  readonly saturation: number;
}

/** @param inputs the compared tensors that the operator reads */
export function diagnose(tensor: ComparedTensor, inputs: readonly ComparedTensor[], model: Model): Diagnosis {
  const { saturation, signalToNoise, rmsePerScale, op, operator } = tensor;
  const found = (cause: ErrorCause, input: ComparedTensor | null = null): Diagnosis => ({
    cause,
    input: input === null ? null : { op: input.op, operator: input.operator },
    saturation,
  });
  if (fixedRange.has(op ?? '') && inputs[0] !== undefined) return found('fixed-range', inputs[0]);
  if (saturation > clampedShare) return found('clamped');
  const worst = inputs.toSorted((a, b) => (a.signalToNoise ?? Infinity) - (b.signalToNoise ?? Infinity))[0];
  if (worst !== undefined && (worst.signalToNoise ?? Infinity) < (signalToNoise ?? Infinity) + 1)
    return found('inherited', worst);
  if (rmsePerScale !== null && rmsePerScale < 0.5) return found('wide-range');
  const axis = op === null ? undefined : weightsAxis[op];
  if (axis !== undefined && operator !== null) {
    const weights = mainSubgraph(model).tensors[mainSubgraph(model).operators[operator]?.inputs?.[1] ?? -1];
    const isPerTensor = (weights?.quantization?.scale?.length ?? 0) === 1 && (weights?.shape?.[axis] ?? 1) > 1;
    return found(isPerTensor ? 'shared-scale' : 'weights');
  }
  return found(rmsePerScale === null ? 'stored-weights' : 'coarse');
}
