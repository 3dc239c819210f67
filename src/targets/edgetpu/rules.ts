// Limits of single operators, by name. targets/operators/edgetpu.yaml says which operator has which limit, and where
// that is documented.

import { integersOf, type OperatorView, type TensorView } from '../operator-view.js';
import { status } from './status.js';

export interface OperatorPlacement {
  /** null if the operator is eligible. */
  readonly status: string | null;
  /** Whether no compiled model confirms it: the value is between those known to be mapped and those known not to be. */
  readonly unconfirmed?: boolean;
}

type Rule = (operator: OperatorView) => OperatorPlacement;

const eligible: OperatorPlacement = { status: null };
const limited: OperatorPlacement = { status: status.limitation };
const limitedUnless = (holds: boolean): OperatorPlacement => (holds ? eligible : limited);

const shapeOf = (tensor: TensorView | null | undefined): readonly number[] => tensor?.shape ?? [];
const sizeOf = (tensor: TensorView | null | undefined): number =>
  shapeOf(tensor).reduce((product, size) => product * size, 1);

/** Sizes of the dimensions that an operator works along, from the front; null if they are computed at run time. */
function axesOf({ inputs }: OperatorView, input: number, of: number): number[] | null {
  const rank = shapeOf(inputs[of]).length;
  return integersOf(inputs[input])?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? null;
}

const notAlongBatch =
  (axisInput: number, of: number): Rule =>
  (operator) => {
    const axes = axesOf(operator, axisInput, of);
    return limitedUnless(axes !== null && (shapeOf(operator.inputs[of]).length < 2 || !axes.includes(0)));
  };

/**
 * Factors up to 2 are known to be precise enough (6 to 12, 12 to 24, 24 to 48, 33 to 33); 16 and single pixels are
 * known not to be (33 to 513, 1 to 33).
 */
const [shownFactor, refusedFactor] = [2, 16];

const precise: Rule = ({ inputs, outputs, options }) => {
  const [, fromHeight = 0, fromWidth = 0] = shapeOf(inputs[0]);
  const [, toHeight = 0, toWidth = 0] = shapeOf(outputs[0]);
  const aligned =
    options?.kind === 'ResizeBilinearOptions' || options?.kind === 'ResizeNearestNeighborOptions'
      ? options.alignCorners
      : false;
  const factorOf = (from: number, to: number): number =>
    from === to ? 1 : aligned ? (to - 1) / (from - 1) : from === 1 ? Infinity : to / from;
  const factor = Math.max(factorOf(fromHeight, toHeight), factorOf(fromWidth, toWidth));
  if (factor >= refusedFactor) return { status: status.imprecise };
  return factor <= shownFactor ? eligible : { status: null, unconfirmed: true };
};

export const rules = {
  'no-fused-activation': ({ options }) =>
    limitedUnless(options === null || !('fusedActivationFunction' in options) || options.fusedActivationFunction === 0),

  'concatenates-computed': ({ inputs }) => {
    const constants = inputs.filter((tensor) => tensor?.constant != null);
    const zero = (tensor: TensorView | null): boolean =>
      tensor?.constant?.every((byte) => (tensor.type === 'int8' ? (byte << 24) >> 24 : byte) === tensor.zeroPoint) ??
      false;
    return limitedUnless(constants.length === 0 || (inputs.length === 2 && constants.every(zero)));
  },

  'equal-dilation': ({ inputs, options }) => {
    if (options?.kind !== 'Conv2DOptions' && options?.kind !== 'DepthwiseConv2DOptions') return eligible;
    const [, height = 1, width = 1] = shapeOf(inputs[1]);
    const { dilationHFactor: vertical, dilationWFactor: horizontal } = options;
    // Dilation has no effect along a side of 1: 3x1 filters with dilation 2x1 are mapped.
    return limitedUnless(vertical === horizontal || height === 1 || width === 1);
  },

  'constant-weights': ({ inputs }) => limitedUnless(inputs[1]?.constant != null),

  'one-row': ({ options, outputs }) => {
    const default_ = options?.kind !== 'FullyConnectedOptions' || options.weightsFormat === 0;
    return limitedUnless(default_ && sizeOf(outputs[0]) === (shapeOf(outputs[0]).at(-1) ?? 1));
  },

  'mean-axes': (operator) => {
    const axes = axesOf(operator, 1, 0);
    const shape = shapeOf(operator.inputs[0]);
    if (axes === null || (shape.length > 1 && axes.includes(0))) return limited;
    return limitedUnless(!axes.includes(shape.length - 1) || (shape.at(-1) ?? 0) % 4 === 0);
  },

  'reduces-not-batch': notAlongBatch(1, 0),

  'packs-not-batch': ({ options }) => limitedUnless(options?.kind !== 'PackOptions' || options.axis !== 0),

  'pads-not-batch': ({ inputs }) => {
    const paddings = integersOf(inputs[1]);
    return limitedUnless(
      paddings !== null && (shapeOf(inputs[0]).length < 4 || (paddings[0] === 0 && paddings[1] === 0)),
    );
  },

  'alpha-by-channel': ({ inputs }) => {
    const alpha = shapeOf(inputs[1]);
    return limitedUnless(sizeOf(inputs[1]) === (alpha.at(-1) ?? 1));
  },

  'resizes-precisely': precise,

  'softmax-row': ({ inputs }) => {
    const elements = sizeOf(inputs[0]);
    if (elements !== (shapeOf(inputs[0]).at(-1) ?? 1)) return limited;
    // The documentation says 16,000; version 16 maps 16,384.
    return limitedUnless(elements <= 16384);
  },

  'splits-not-batch': (operator) => {
    const { options } = operator;
    const axes = axesOf(operator, 0, 1);
    return limitedUnless(
      axes !== null && (!axes.includes(0) || (options?.kind === 'SplitOptions' && options.numSplits === 1)),
    );
  },

  'plain-strides': ({ inputs, options }) => {
    const strides = integersOf(inputs[3]);
    const masked = options?.kind === 'StridedSliceOptions' && (options.ellipsisMask !== 0 || options.newAxisMask !== 0);
    return limitedUnless(strides?.every((stride) => stride === 1) === true && !masked);
  },

  'eight-bit-conversion': ({ inputs, outputs }) =>
    // For a float input the log says that, not that the type is wrong.
    limitedUnless([inputs[0], outputs[0]].every((tensor) => tensor?.type === 'int8' || tensor?.type === 'uint8')),
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof rules;
export const ruleNames = Object.keys(rules) as [RuleName, ...RuleName[]];
