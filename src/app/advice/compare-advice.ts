// What to do about a tensor whose quantized values differ much from the float ones.

import type { Comparison, Diagnosis, ErrorCause } from '../../evaluate/index.js';

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.001 ? 3 : 1)} %`;

const placeOf = ({ input }: Diagnosis): string =>
  input === null || input.operator === null ? 'the input' : `operator ${input.operator} ${input.op}`;

const actions: Readonly<Record<ErrorCause, (diagnosis: Diagnosis) => string>> = {
  'fixed-range': (diagnosis) =>
    `the operator fixes its output range and amplifies the error of its input: look at ${placeOf(diagnosis)} ` +
    'and before',
  clamped: ({ saturation }) =>
    `${percent(saturation)} of its values are outside its range: calibrate with more representative samples, or ` +
    'quantize with --ranges headroom',
  inherited: (diagnosis) => `its input has an error of the same size: look at ${placeOf(diagnosis)} first`,
  'wide-range': () =>
    'most of the error is rounding: the range is much wider than the typical values; quantize with --ranges auto, or ' +
    'use int16 for its operator',
  'shared-scale': () =>
    'all channels of its weights share one scale: quantize with --dense per-channel, if the target supports that',
  weights: () => 'the error comes from its weights: quantize with --repair adaptive-rounding bias-correction',
  'stored-weights': () => 'this tensor is float; the error comes from stored weights',
  coarse: () =>
    'the int8 form of its operator is imprecise: use int16 for it, or keep it in float with --scheme ' +
    'int8-float-fallback',
};

export type AdvisedTensor = Omit<Comparison['worst'][number], 'diagnosis'> & {
  readonly advice: { readonly cause: ErrorCause; readonly action: string };
};

/** The worst tensors of a comparison, with what to do about each. */
export function withActions(worst: Comparison['worst']): readonly AdvisedTensor[] {
  return worst.map(({ diagnosis, ...tensor }) => ({
    ...tensor,
    advice: { cause: diagnosis.cause, action: actions[diagnosis.cause](diagnosis) },
  }));
}
