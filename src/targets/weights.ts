// Whether an operator's weights have a form that a target's kernels take.

import type { TensorView } from './operator-view.js';
import type { WeightLimits } from './schema.js';

/** @returns what is wrong with them; null where nothing is, or the operator has none */
export function weightsRefusal(limits: WeightLimits | null, inputs: readonly (TensorView | null)[]): string | null {
  const [input] = inputs;
  const weights = inputs[limits?.input ?? -1];
  if (limits === null || input == null || weights == null) return null;
  const { types, perChannel } = limits;
  const taken = types[input.type as keyof typeof types] ?? [];
  if (!taken.some((known) => known === weights.type)) return `${input.type} activations with ${weights.type} weights`;
  return weights.perAxis && !perChannel.some((known) => known === weights.type) ? `${weights.type} weights with a scale for each channel` : null;
}
