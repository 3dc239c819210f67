// Which types of activations and weights a runtime's kernels take.

/** What of an operand counts. */
export interface TypedOperand {
  readonly type: string;
  /** Whether it has a scale for each channel. */
  readonly perAxis: boolean;
}

export interface TakenWeights {
  /** Which input they are. */
  readonly input: number;
  /** Types that they may have, by the type of the activations. */
  readonly types: Readonly<Partial<Record<string, readonly string[]>>>;
  /** Types that may have a scale for each channel; the others have one in all. */
  readonly perChannel: readonly string[];
}

export type TakenTypes = 'any' | readonly string[] | { readonly types: readonly string[]; readonly weights: TakenWeights };

/** Operand that holds the data, whose type decides: the first, except where that is a shape, an axis, an index, a condition or a resource. */
const dataOperands: Readonly<Record<string, number>> = { TRANSPOSE_CONV: 2, SELECT: 1, SELECT_V2: 1, SPLIT: 1, FILL: 1, EMBEDDING_LOOKUP: 1 };

/** @returns what the kernel of the operator does not take; null where it takes all */
export function kernelRefusal(
  op: string,
  { types, weights }: { readonly types: 'any' | readonly string[]; readonly weights: TakenWeights | null },
  inputs: readonly (TypedOperand | null)[],
): string | null {
  return typeRefusal(op, types, inputs) ?? weightsRefusal(weights, inputs);
}

function typeRefusal(op: string, types: 'any' | readonly string[], inputs: readonly (TypedOperand | null)[]): string | null {
  const data = inputs[dataOperands[op] ?? 0];
  if (data == null || types === 'any' || types.includes(data.type)) return null;
  return `its kernel takes ${types.join(', ')}, not ${data.type}`;
}

/** @returns what is wrong with the weights; null where nothing is, or the operator has none */
export function weightsRefusal(taken: TakenWeights | null, inputs: readonly (TypedOperand | null)[]): string | null {
  const [input] = inputs;
  const weights = inputs[taken?.input ?? -1];
  if (taken === null || input == null || weights == null) return null;
  const { types, perChannel } = taken;
  if (!types[input.type]?.includes(weights.type)) return `${input.type} activations with ${weights.type} weights`;
  return weights.perAxis && !perChannel.includes(weights.type) ? `${weights.type} weights with a scale for each channel` : null;
}
