// Suggests what to do about a tensor whose quantized values differ much from the float ones: the first matching rule of
// a list.

import { type Model, mainSubgraph, weightsAxis } from '../formats/tflite/index.js';

export interface Advice {
  readonly cause: 'clamped' | 'inherited' | 'wide-range' | 'weights' | 'coarse' | 'rounding';
  readonly action: string;
}

/** Operators whose output range is fixed. */
const fixedRange = new Set(['SOFTMAX', 'LOGISTIC', 'TANH', 'LOG_SOFTMAX', 'L2_NORMALIZATION']);

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.001 ? 3 : 1)} %`;

/** Facts that the rules use. */
export interface ComparedTensor {
  readonly op: string | null;
  readonly operator: number | null;
  readonly rmsePerScale: number | null;
  readonly signalToNoise: number | null;
  readonly saturation: number;
}

/** @param inputs the compared tensors that the operator reads */
export function adviceFor(tensor: ComparedTensor, inputs: readonly ComparedTensor[], model: Model): Advice {
  const { saturation, signalToNoise, rmsePerScale, op, operator } = tensor;
  const ratio = signalToNoise ?? Infinity;
  const place = ({ operator: at, op: name }: ComparedTensor): string =>
    at === null ? 'the input' : `operator ${at} ${name}`;
  if (fixedRange.has(op ?? '') && inputs[0] !== undefined) {
    return {
      cause: 'inherited',
      action: `its range is fixed, it sharpens the error of what it reads: look at ${place(inputs[0])} and what comes before`,
    };
  }
  if (saturation > 0.001) {
    return {
      cause: 'clamped',
      action: `${percent(saturation)} of its values lie outside its range: calibrate with samples like these, or quantize with --ranges headroom`,
    };
  }
  const worst = inputs.toSorted((a, b) => (a.signalToNoise ?? Infinity) - (b.signalToNoise ?? Infinity))[0];
  if (worst !== undefined && (worst.signalToNoise ?? Infinity) < ratio + 1) {
    return {
      cause: 'inherited',
      action: `what it reads is no better: look at ${place(worst)} first`,
    };
  }
  if (rmsePerScale !== null && rmsePerScale < 0.5) {
    return {
      cause: 'wide-range',
      action:
        'rounding alone makes the error, so its range is wide for what it mostly holds: quantize with --ranges auto, or give its operator int16',
    };
  }
  if (op !== null && weightsAxis[op] !== undefined && operator !== null) {
    const weights = mainSubgraph(model).tensors[mainSubgraph(model).operators[operator]?.inputs?.[1] ?? -1];
    const perTensor =
      (weights?.quantization?.scale?.length ?? 0) === 1 && (weights?.shape?.[weightsAxis[op] as number] ?? 1) > 1;
    return perTensor
      ? {
          cause: 'weights',
          action: 'one scale serves all its channels: quantize with --dense per-channel, where the target takes that',
        }
      : {
          cause: 'weights',
          action: 'its weights make the error: quantize with --repair adaptive-rounding bias-correction',
        };
  }
  return rmsePerScale === null
    ? { cause: 'rounding', action: 'float here: the error comes from stored weights' }
    : {
        cause: 'coarse',
        action:
          'its operator computes coarsely in int8: give it int16, or leave it in float with --scheme int8-float-fallback',
      };
}
