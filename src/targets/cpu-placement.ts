// Which operators a microcontroller's runtime runs, by the types of activations and weights that its kernels accept.

import { type Model, mainSubgraph } from '../formats/tflite/index.js';
import { kernelRefusal } from '../simulator/index.js';
import { type OperatorView, operatorViews } from './operator-view.js';
import type { OperatorSet } from './schema.js';

/** Where an operator runs, and why. */
export interface OperatorPlacement {
  readonly index: number;
  readonly op: string;
  readonly placed: 'npu' | 'cpu' | 'unsupported';
  /**
   * Why the operator is not placed: in the compiler's words for an Edge TPU, by the kernels' types for a
   * microcontroller; null if it is placed.
   */
  readonly reason: string | null;
  /** Whether this follows a documented rule that no measurement confirms. */
  readonly unconfirmed: boolean;
  /** Source of the rule; null if the operator has none. */
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
