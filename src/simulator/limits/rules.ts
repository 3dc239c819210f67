// Conditions that a runtime imposes on an operator when it is prepared. Each returns what is wrong, or null.

import { elementAt } from '../../base/checked.js';
import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import type { Operand, OperatorContext } from '../operators/operator.js';

export type Condition = (context: OperatorContext) => string | null;

/**
 * What the runtime does: `refused` ends with an error or an abort, `wrong` computes something else than the model says.
 */
export type Severity = 'refused' | 'wrong';

export interface Limit {
  readonly severity: Severity;
  /**
   * `numbers`: scales and zero points, which the quantizer chooses; `graph`: shapes and operands; `types`: the kernel
   * does not support the type.
   */
  readonly about: 'numbers' | 'graph' | 'types';
  readonly condition: Condition;
}

/** Scales and zero points for which the kernel ends with an error. */
export const refused = (...conditions: Condition[]): Limit => ({
  severity: 'refused',
  about: 'numbers',
  condition: all(...conditions),
});
/** Scales and zero points for which it computes something else. */
export const wrong = (...conditions: Condition[]): Limit => ({
  severity: 'wrong',
  about: 'numbers',
  condition: all(...conditions),
});
/** Shapes, types and operands for which it ends with an error. */
export const unsupported = (...conditions: Condition[]): Limit => ({
  severity: 'refused',
  about: 'graph',
  condition: all(...conditions),
});

const listed = (operands: readonly (Operand | null | undefined)[]): Operand[] =>
  operands.filter((operand) => operand != null);
const firstFault = (faults: readonly (string | null)[]): string | null =>
  faults.find((fault) => fault !== null) ?? null;
const scaleOf = (operand: Operand | null | undefined): number => operand?.scale[0] ?? Number.NaN;
const zeroOf = (operand: Operand | null | undefined): number => operand?.zeroPoint[0] ?? 0;

export const isQuantized = ({ type, scale }: Operand): boolean =>
  scale.length > 0 && (type === 'int8' || type === 'uint8' || type === 'int16');

/** Applies only if the first output has one of the types. */
export function where(types: readonly string[], ...conditions: Condition[]): Condition {
  return (context) =>
    types.includes(context.outputs[0]?.type ?? '')
      ? firstFault(conditions.map((condition) => condition(context)))
      : null;
}

/** All conditions. */
function all(...conditions: Condition[]): Condition {
  return (context) => firstFault(conditions.map((condition) => condition(context)));
}

/** The zero points of int16 tensors are 0: int16 is symmetric. */
export const symmetricInt16: Condition = ({ inputs, outputs }) =>
  firstFault(
    listed([...inputs, ...outputs])
      .filter((operand) => operand.type === 'int16' && isQuantized(operand))
      .map((operand) =>
        zeroOf(operand) === 0
          ? null
          : `tensor ${operand.label} is int16 with zero point ${zeroOf(operand)}, which must be 0`,
      ),
  );

/** Scale and zero point of quantized inputs equal those of the first output. */
export function alike({
  inputs: positions,
  tolerance = 0,
}: {
  readonly inputs?: readonly number[];
  readonly tolerance?: number;
} = {}): Condition {
  return ({ inputs, outputs: [output] }) => {
    if (output === undefined || !isQuantized(output)) return null;
    const compared = listed(positions === undefined ? inputs : positions.map((position) => inputs[position]));
    return firstFault(
      compared.filter(isQuantized).map((input) => {
        const same = Math.abs(scaleOf(input) - scaleOf(output)) <= tolerance && zeroOf(input) === zeroOf(output);
        return same ? null : `tensors ${input.label} and ${output.label} must have the same scale and zero point`;
      }),
    );
  };
}

/** The inputs have the same quantization. */
export const inputsAlike: Condition = ({ inputs }) => {
  const [first, ...others] = listed(inputs).filter(isQuantized);
  if (first === undefined) return null;
  const other = others.find((input) => scaleOf(input) !== scaleOf(first) || zeroOf(input) !== zeroOf(first));
  return other === undefined
    ? null
    : `tensors ${first.label} and ${other.label} must have the same scale and zero point`;
};

/** Outputs have the input's quantization. */
export const outputsAlike: Condition = ({ inputs: [input], outputs }) => {
  if (input == null || !isQuantized(input)) return null;
  const other = outputs.find((output) => scaleOf(output) !== scaleOf(input) || zeroOf(output) !== zeroOf(input));
  return other === undefined
    ? null
    : `tensors ${input.label} and ${other.label} must have the same scale and zero point`;
};

export interface FixedQuantization {
  readonly scale?: number;
  readonly zeroPoint?: number;
}

/** Fixed quantization of an output, by its type. */
export function fixedOutput(byType: Readonly<Partial<Record<string, FixedQuantization>>>): Condition {
  return ({ outputs: [output] }) => {
    const wanted = byType[output?.type ?? ''];
    if (output === undefined || wanted === undefined || !isQuantized(output)) return null;
    const { scale, zeroPoint } = wanted;
    if (scale !== undefined && scaleOf(output) !== scale)
      return `output ${output.label} has scale ${scaleOf(output)}; it must be 1/${1 / scale}`;
    return zeroPoint !== undefined && zeroOf(output) !== zeroPoint
      ? `output ${output.label} has zero point ${zeroOf(output)}; it must be ${zeroPoint}`
      : null;
  };
}

/**
 * The multiplier from the sum of two operands to the output is below 1 (QuantizeMultiplierSmallerThanOneExp): twice the
 * larger input scale, with the extra bits of the sum.
 */
export const sumMultiplierBelowOne: Condition = ({ inputs, outputs: [output] }) => {
  if (output === undefined || !isQuantized(output)) return null;
  const largest = Math.max(...listed(inputs).filter(isQuantized).map(scaleOf));
  const bits = output.type === 'int16' ? 15 : 20;
  return belowOne(
    (2 * largest) / (2 ** bits * scaleOf(output)),
    output,
    `the output scale must be above ${largest / 2 ** (bits - 1)}`,
  );
};

/** The same for a squared difference: twice 7 extra bits. */
export const squareMultiplierBelowOne: Condition = ({ inputs, outputs: [output] }) => {
  if (output === undefined || output.type !== 'int8' || !isQuantized(output)) return null;
  const largest = 2 * Math.max(...listed(inputs).filter(isQuantized).map(scaleOf));
  return belowOne(
    largest ** 2 / (2 ** 14 * scaleOf(output)),
    output,
    `the output scale must be above ${largest ** 2 / 2 ** 14}`,
  );
};

/** After rounding to its bits it must still be below 1. */
function belowOne(multiplier: number, { label }: Operand, rule: string): string | null {
  return multiplier < 1 && quantizeMultiplier(multiplier).shift <= 0
    ? null
    : `output ${label} is too fine for its inputs: ${rule}`;
}

/** For SUB in TFLite, which handles multipliers below and above 1 separately. */
export const differenceMultiplierNotOne: Condition = (context) => {
  const multiplier = differenceMultiplier(context);
  const exactly = multiplier === 1 || (multiplier < 1 && quantizeMultiplier(multiplier).shift > 0);
  return exactly
    ? `the multiplier of output ${context.outputs[0]?.label} is exactly 1; choose another output scale`
    : null;
};

/**
 * SUB with a multiplier above 1 shifts right by a negative amount, which is undefined in C
 * (MultiplyByQuantizedMultiplierSmallerThanOneExp).
 */
export const differenceMultiplierBelowOne: Condition = (context) =>
  differenceMultiplier(context) > 1
    ? `output ${context.outputs[0]?.label} is too fine for its inputs: the kernel shifts by a negative amount`
    : null;

/** The output multiplier of SUB; 0 if the output is not quantized. */
function differenceMultiplier({ inputs, outputs: [output] }: OperatorContext): number {
  if (output === undefined || !isQuantized(output)) return 0;
  const largest = Math.max(...listed(inputs).filter(isQuantized).map(scaleOf));
  return (2 * largest) / (2 ** (output.type === 'int16' ? 15 : 20) * scaleOf(output));
}

/**
 * The value before the output has less than 7 bits more than the output (MultiplyByQuantizedMultiplier for 64-bit
 * sums).
 */
export function wideMultiplierBelow128(first: number, second: number): Condition {
  return ({ inputs, outputs: [output] }) => {
    if (output?.type !== 'int16') return null;
    const largest = Math.max(...(inputs[second]?.scale ?? [0]));
    const multiplier = (scaleOf(inputs[first]) * largest) / scaleOf(output);
    return multiplier < 128
      ? null
      : `the scales of inputs and output ${output.label} make a multiplier of ${multiplier}; int16 takes less than 128`;
  };
}

/**
 * The multiplier from the product of two operands to the output is below 2^31: the kernel shifts by its exponent, and
 * shifts beyond 31 are undefined in C.
 */
export function productShiftDefined(first: number, second: number): Condition {
  return ({ inputs, outputs: [output] }) => {
    if (output === undefined || !isQuantized(output)) return null;
    const multiplier = (scaleOf(inputs[first]) * Math.max(...(inputs[second]?.scale ?? [0]))) / scaleOf(output);
    return multiplier >= 2 ** 31
      ? `the scales of inputs and output ${output.label} make a multiplier of ${multiplier}, by which the kernel ` +
          'cannot shift'
      : null;
  };
}

export function scalesBelow(limit: number): Condition {
  return ({ inputs }) => {
    const large = listed(inputs).find(
      (input) => (input.type === 'int8' || input.type === 'uint8') && isQuantized(input) && scaleOf(input) >= limit,
    );
    return large === undefined ? null : `tensor ${large.label} has scale ${scaleOf(large)}; it must be below ${limit}`;
  };
}

export interface Bounds {
  readonly above: number;
  readonly below: number;
}

/**
 * 8-bit SOFTMAX and LOG_SOFTMAX in fixed point: the multiplier from the input scale to steps of 2^-26 must be above 1.
 * Otherwise PreprocessSoftmaxScaling (quantization_util.cc) aborts the process. Kernels with lookup tables have no such
 * limit.
 */
export const exponentFactorAboveOne: Condition = ({ inputs: [input], options, arithmetic }) => {
  if (input == null || !isQuantized(input) || input.type === 'int16' || arithmetic.softmaxInFloat) return null;
  const beta = options?.kind === 'SoftmaxOptions' ? options.beta : 1;
  const least = 2 ** -26 / beta;
  return scaleOf(input) > least ? null : `tensor ${input.label} has scale ${scaleOf(input)}; it must be above ${least}`;
};

/** Limits of the first input's scale, by its type. */
export function inputScale(byType: Readonly<Partial<Record<string, Bounds>>>): Condition {
  return ({ inputs: [input] }) => {
    const bounds = byType[input?.type ?? ''];
    if (input == null || bounds === undefined || !isQuantized(input)) return null;
    const scale = scaleOf(input);
    return scale > bounds.above && scale < bounds.below
      ? null
      : `tensor ${input.label} has scale ${scale}; it must be between ${bounds.above} and ${bounds.below}`;
  };
}

export const noScaleOfOne: Condition = ({ inputs }) => {
  const found = listed(inputs).find((input) => isQuantized(input) && scaleOf(input) === 1);
  return found === undefined ? null : `tensor ${found.label} has scale 1, for which the kernel has no multiplier`;
};

/** Number of dimensions of the inputs and outputs, or of the named ones. */
export function rankAtMost(most: number, positions?: readonly number[]): Condition {
  return ({ inputs, outputs }) => {
    const seen = positions === undefined ? [...inputs, ...outputs] : positions.map((position) => inputs[position]);
    const deep = listed(seen).find(({ shape }) => shape.length > most);
    return deep === undefined ? null : `tensor ${deep.label} has ${deep.shape.length} dimensions; at most ${most}`;
  };
}

/** Number of dimensions if the operands broadcast. */
export function broadcastRankAtMost(most: number): Condition {
  return (context) => {
    const { inputs, outputs } = context;
    const same = listed(inputs).every(({ shape }) => shape.join() === outputs[0]?.shape.join());
    return same ? null : rankAtMost(most)(context);
  };
}

export function constant(...positions: number[]): Condition {
  return ({ inputs }) => {
    const computed = listed(positions.map((position) => inputs[position])).find((operand) => !operand.constant);
    return computed === undefined ? null : `tensor ${computed.label} must be a constant`;
  };
}

export function inputsAtMost(most: number): Condition {
  return ({ inputs }) => (inputs.length > most ? `${inputs.length} inputs; at most ${most}` : null);
}

/** The operator's options specify this fused activation (by its number in the schema). */
export function activation(number: number, name: string): Condition {
  return ({ options }) =>
    options !== null && 'fusedActivationFunction' in options && options.fusedActivationFunction !== number
      ? `its fused activation must be ${name}`
      : null;
}

/** The model gives the quantization of the kernel's intermediate results. */
export function intermediates(needed: number): Condition {
  return (context) =>
    context.intermediates.length === needed
      ? null
      : `it has ${context.intermediates.length} intermediate tensors, not ${needed}`;
}

/** An operand has this type. */
export function operandType(position: number, type: string): Condition {
  return ({ inputs }) => {
    const operand = inputs[position];
    return operand == null || operand.type === type ? null : `tensor ${operand.label} is ${operand.type}, not ${type}`;
  };
}

export const noActivation: Condition = ({ options }) =>
  options !== null && 'fusedActivationFunction' in options && options.fusedActivationFunction !== 0
    ? 'it must have no fused activation'
    : null;

/** The bias, by the type of the activations: whether it is required, and its types. */
export function bias(
  position: number,
  byType: Readonly<Partial<Record<string, readonly string[]>>>,
  required = false,
): Condition {
  return ({ inputs, outputs: [output] }) => {
    const types = byType[output?.type ?? ''];
    if (types === undefined) return null;
    const operand = inputs[position];
    if (operand == null) return required ? 'it must have a bias' : null;
    return types.includes(operand.type) ? null : `bias ${operand.label} is ${operand.type}, not ${types.join(' or ')}`;
  };
}

/** An absent input must not be listed. */
export function notListedAsAbsent(position: number): Condition {
  return ({ inputs }) =>
    inputs.length > position && inputs[position] === null ? 'its bias is left out, but listed among the inputs' : null;
}

/** The bias scale equals that of the products, to a fiftieth of the output scale (GetQuantizedConvolutionMultipler). */
export const biasScaleOfProducts: Condition = ({ inputs, outputs: [output] }) => {
  const [input, filter, operand] = inputs;
  if (
    input == null ||
    filter == null ||
    operand == null ||
    output === undefined ||
    !isQuantized(output) ||
    filter.scale.length !== 1
  )
    return null;
  if (operand.scale.length === 0) return null;
  const product = Math.fround(scaleOf(input) * scaleOf(filter));
  const off = Math.abs(product - scaleOf(operand)) / scaleOf(output);
  return off <= 0.02
    ? null
    : `bias ${operand.label} has scale ${scaleOf(operand)}; it must be that of input times weights, ${product}`;
};

/** Per-tensor weights. */
export function perTensor(position: number, type: string): Condition {
  return ({ inputs }) => {
    const operand = inputs[position];
    return operand?.type === type && operand.scale.length > 1
      ? `weights ${operand.label} are ${type} with a scale for each channel; one for all`
      : null;
  };
}

/** Pairs of input and output type. */
export function conversions(pairs: Readonly<Partial<Record<string, readonly string[]>>>): Condition {
  return ({ inputs: [input], outputs: [output] }) => {
    if (input == null || output === undefined) return null;
    return pairs[input.type]?.includes(output.type)
      ? null
      : `it has no conversion from ${input.type} to ${output.type}`;
  };
}

export const oneScale: Condition = ({ inputs: [input], outputs: [output] }) => {
  const many = listed([input, output]).find(({ scale }) => scale.length > 1);
  return many === undefined ? null : `tensor ${many.label} has a scale for each channel; one for all`;
};

/** Applies only if the first input has one of the types. */
export function whereInput(types: readonly string[], condition: Condition): Condition {
  return (context) => (types.includes(context.inputs[0]?.type ?? '') ? condition(context) : null);
}

/**
 * HARD_SWISH shifts left by an exponent that grows with the input scale and must stay below 32 (hard_swish.h,
 * SaturatingLeftShift).
 */
export const hardSwishInput: Condition = inputScale({
  int8: { above: 0, below: 2 ** 24 },
  uint8: { above: 0, below: 2 ** 24 },
});

/** Weights must have zero point 0: kernels ignore or reject any other. */
export function symmetricWeights(at: number): Condition {
  return ({ inputs }) => {
    const weights = inputs[at];
    if (weights == null || weights.type === 'uint8' || weights.zeroPoint.every((zero) => zero === 0)) return null;
    return `weights ${weights.label} have a zero point other than 0`;
  };
}

/**
 * TensorFlow Lite on x86-64 sums the int8 weights of a dynamic-range layer in eight 16-bit lanes, which can overflow
 * (sse_tensor_utils.cc, SseReductionSumVector). Each lane adds pairs of neighbours in blocks of 16 weights.
 */
export const weightSumsFit16: Condition = ({ inputs: [input, weights] }) => {
  if (input?.type !== 'float32' || weights?.type !== 'int8' || !weights.constant) return null;
  const depth = weights.shape.at(-1) ?? 0;
  const whole = depth - (depth % 16);
  const lanes = new Int32Array(8);
  for (let row = 0; row < weights.count; row += depth) {
    lanes.fill(0);
    for (let i = 0; i < whole; i++)
      lanes[(i % 16) >> 1] = elementAt(lanes, (i % 16) >> 1) + elementAt(weights.data as Int8Array, row + i);
    if (lanes.some((sum) => sum < -32768 || sum > 32767))
      return `sums of weights ${weights.label} leave the 16 bits that the kernel on x86-64 has for them`;
  }
  return null;
};

/** The first input must have one of these types. */
export function inputTypes(...types: readonly string[]): Condition {
  return ({ inputs: [input] }) =>
    input == null || types.includes(input.type) ? null : `its kernel takes ${types.join(', ')}, not ${input.type}`;
}

export function notType(type: string, why: string): Condition {
  return ({ inputs: [input] }) => (input?.type === type ? why : null);
}
