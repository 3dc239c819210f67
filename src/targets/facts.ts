// Facts about a model that do not depend on the target, computed once for many checks.

import type { Model } from '../formats/tflite/index.js';
import {
  type Arena,
  arenaOf,
  type BrokenLimit,
  inputsAndOutputs,
  limitsBroken,
  type MissingOperator,
  missingOperators,
  type OverflowRisk,
  overflowRisks,
  type Runtime,
  type RuntimeKernels,
  type Work,
  workOf,
} from '../simulator/index.js';

export interface ModelFacts {
  /** Operators that the simulator lacks. */
  readonly missing: readonly MissingOperator[];
  readonly simulated: boolean;
  /** Operators that a runtime refuses or computes differently; empty for models that are not simulated. */
  readonly limits: (runtime: Runtime) => readonly BrokenLimit[];
  readonly overflows: () => readonly OverflowRisk[];
  /** By the kernels that a device links, of which there are few combinations. */
  readonly arenaFor: (kernels: RuntimeKernels) => Arena;
  /** By operator; only for models that are simulated. */
  readonly work: () => readonly (Work | null)[];
  readonly inputsAndOutputs: () => ReturnType<typeof inputsAndOutputs>;
}

export function factsOf(model: Model): ModelFacts {
  const arenas = new Map<string, Arena>();
  const missing = missingOperators(model);
  const simulated = missing.length === 0;
  const limits = {
    tflm: once(() => (simulated ? limitsBroken(model, 'tflm-reference') : [])),
    tflite: once(() => (simulated ? limitsBroken(model, 'tflite-optimized') : [])),
  };
  return {
    missing,
    simulated,
    limits: (runtime) => limits[runtime](),
    overflows: once(() => (simulated ? overflowRisks(model) : [])),
    arenaFor: (kernels) => {
      const key = `${kernels.library} ${kernels.simd} ${kernels.wideEnums}`;
      const arena = arenas.get(key) ?? arenaOf(model, kernels);
      arenas.set(key, arena);
      return arena;
    },
    work: once(() => workOf(model)),
    inputsAndOutputs: once(() => inputsAndOutputs(model)),
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
