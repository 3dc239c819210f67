// Which operators a microcontroller's runtime runs: by the types of activations and weights that its kernels take.

import { type Model, mainSubgraph } from '../tflite/index.js';
import { type OperatorView, operatorViews, type TensorView } from './operator-view.js';
import type { OperatorSet } from './schema.js';
import { weightsRefusal } from './weights.js';

export interface OperatorPlacement {
  readonly index: number;
  readonly op: string;
  readonly placed: 'npu' | 'cpu' | 'unsupported';
  /** Why it is not where it should be: of an Edge TPU in its compiler's words, of a microcontroller by what the runtime's kernels take; null when it is. */
  readonly reason: string | null;
  /** True where this follows a documented rule that nothing measured shows. */
  readonly unconfirmed: boolean;
  /** Where the rule is from; null where the operator has none of its own. */
  readonly source: string | null;
}

export function placeOnCpu(model: Model, operatorSet: OperatorSet): OperatorPlacement[] {
  return operatorViews(model, mainSubgraph(model)).map((view): OperatorPlacement => {
    const reason = refusal(view, operatorSet);
    const { index, op } = view;
    return { index, op, placed: reason === null ? 'cpu' : 'unsupported', reason, unconfirmed: false, source: null };
  });
}

/** Operand that holds the data, whose type decides: the first, except where that is a shape, an axis, an index, a condition or a resource. */
const dataOperands: Readonly<Record<string, number>> = { TRANSPOSE_CONV: 2, SELECT: 1, SELECT_V2: 1, SPLIT: 1, FILL: 1, EMBEDDING_LOOKUP: 1 };

function refusal({ op, inputs }: OperatorView, { operators }: OperatorSet): string | null {
  const entry = operators[op];
  if (entry === undefined) return 'the runtime has no kernel for it';
  const data: TensorView | null | undefined = inputs[dataOperands[op] ?? 0];
  if (data == null || entry.types === 'any') return null;
  if (!entry.types.some((known) => known === data.type)) return `its kernel takes ${entry.types.join(', ')}, not ${data.type}`;
  return weightsRefusal(entry.weights, inputs);
}
