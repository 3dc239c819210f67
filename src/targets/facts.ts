// What does not depend on the target: known once, it serves many checks.

import {
  type Arena,
  arenaOf,
  inputsAndOutputs,
  type OverflowRisk,
  overflowRisks,
  type RuntimeKernels,
  simulates,
  type Work,
  workOf,
} from '../simulator/index.js';
import type { Model } from '../tflite/index.js';

export interface ModelFacts {
  readonly simulated: boolean;
  readonly overflows: () => readonly OverflowRisk[];
  /** With the kernels that a device links, of which there are few kinds. */
  readonly arenaFor: (kernels: RuntimeKernels) => Arena;
  /** Of each operator; only for models that are simulated. */
  readonly work: () => readonly (Work | null)[];
  readonly edges: () => ReturnType<typeof inputsAndOutputs>;
}

export function factsOf(model: Model): ModelFacts {
  const arenas = new Map<string, Arena>();
  return {
    simulated: simulates(model),
    overflows: once(() => overflowRisks(model)),
    arenaFor: (kernels) => {
      const key = `${kernels.library} ${kernels.simd} ${kernels.wideEnums}`;
      const arena = arenas.get(key) ?? arenaOf(model, kernels);
      arenas.set(key, arena);
      return arena;
    },
    work: once(() => workOf(model)),
    edges: once(() => inputsAndOutputs(model)),
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
