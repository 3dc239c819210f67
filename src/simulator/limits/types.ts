// Types of activations and weights that the kernels of a runtime support.

/** The properties of an operand that decide whether a kernel supports it. */
export interface TypedOperand {
  readonly type: string;
  /** True for per-channel scales. */
  readonly perAxis: boolean;
}

export interface TakenWeights {
  /** Index of the input that holds the weights. */
  readonly input: number;
  /** Supported weight types for each activation type. */
  readonly types: Readonly<Partial<Record<string, readonly string[]>>>;
  /** Weight types that may have per-channel scales; the others are per-tensor. */
  readonly perChannel: readonly string[];
}

export type TakenTypes =
  | 'any'
  | readonly string[]
  | { readonly types: readonly string[]; readonly weights: TakenWeights };

/**
 * Index of the data operand, whose type selects the kernel. Default: 0, unless that is a shape, axis, index, condition
 * or resource.
 */
const dataOperands: Readonly<Record<string, number>> = {
  TRANSPOSE_CONV: 2,
  SELECT: 1,
  SELECT_V2: 1,
  SPLIT: 1,
  FILL: 1,
  EMBEDDING_LOOKUP: 1,
};

/** @returns why no kernel supports these operands; null if one does */
export function kernelRefusal(
  op: string,
  { types, weights }: { readonly types: 'any' | readonly string[]; readonly weights: TakenWeights | null },
  inputs: readonly (TypedOperand | null)[],
): string | null {
  return typeRefusal(op, types, inputs) ?? weightsRefusal(weights, inputs);
}

function typeRefusal(
  op: string,
  types: 'any' | readonly string[],
  inputs: readonly (TypedOperand | null)[],
): string | null {
  const data = inputs[dataOperands[op] ?? 0];
  if (data == null || types === 'any' || types.includes(data.type)) return null;
  return `its kernel takes ${types.join(', ')}, not ${data.type}`;
}

/** @returns why no kernel supports the weights; null if one does, or if the operator has none */
export function weightsRefusal(taken: TakenWeights | null, inputs: readonly (TypedOperand | null)[]): string | null {
  const [input] = inputs;
  const weights = inputs[taken?.input ?? -1];
  if (taken === null || input == null || weights == null) return null;
  const { types, perChannel } = taken;
  if (!types[input.type]?.includes(weights.type)) return `${input.type} activations with ${weights.type} weights`;
  return weights.perAxis && !perChannel.includes(weights.type)
    ? `${weights.type} weights with a scale for each channel`
    : null;
}
