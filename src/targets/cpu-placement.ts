// Which operators a microcontroller's runtime runs: by the types of activations and weights that its kernels take.

import { type Model, mainSubgraph } from '../formats/tflite/index.js';
import { kernelRefusal } from '../simulator/index.js';
import { type OperatorView, operatorViews } from './operator-view.js';
import type { OperatorSet } from './schema.js';

export interface OperatorPlacement {
  readonly index: number;
  readonly op: string;
  readonly placed: 'npu' | 'cpu' | 'unsupported';
  /**
   * Why it is not where it should be: of an Edge TPU in its compiler's words, of a microcontroller by what the
   * runtime's kernels take; null when it is.
   */
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

function refusal({ op, inputs }: OperatorView, { operators }: OperatorSet): string | null {
  const entry = operators[op];
  return entry === undefined ? 'the runtime has no kernel for it' : kernelRefusal(op, entry, inputs);
}
