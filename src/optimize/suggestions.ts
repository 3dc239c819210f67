// Finds changes that make a model fit a target. Each is applied alone, then in combination, and measured with the same
// check.

import { AtollError } from '../base/errors.js';
import { checkFile } from '../devices/bundle/index.js';
import { copyModel, type Model, mainSubgraph, TensorType, tensorName, writeModel } from '../formats/tflite/index.js';
import { resolveShapes } from '../simulator/index.js';
import { type CheckResult, factsOf, loadShippedTargets, runtimeKernelsOf, type Target } from '../targets/index.js';
import { planMemory } from './passes/index.js';

/** A change to the model. */
export type Change =
  | { readonly kind: 'memory-plan' | 'int8' }
  /** Height and width of the input, as it is and as it would be; the model must be trained for it. */
  | { readonly kind: 'smaller-input'; readonly from: readonly number[]; readonly to: readonly number[] };

/** A change that would make a model fit a target. */
export type Suggestion = {
  /** null if it does not change, or is unknown. */
  readonly arenaBytes: number | null;
  /** Whether the model would fit. */
  readonly fits: boolean;
} & (
  | Change
  | { readonly kind: 'together'; readonly changes: readonly Change[] }
  | { readonly kind: 'other-target'; readonly target: string; readonly name: string }
);

/** A change with a function that applies it, which returns null if the change does not apply. */
interface Alteration {
  readonly change: Change;
  readonly apply: (model: Model) => Model | null;
}

const inputShares = [0.75, 0.5] as const;
const maxTargets = 3;

/** In the order in which to try them: changes without loss of accuracy first. Empty for a model that fits. */
export async function suggestionsFor(
  bytes: Uint8Array,
  model: Model,
  target: Target,
  { fits, reasons }: CheckResult,
): Promise<readonly Suggestion[]> {
  if (fits) return [];
  const codes = new Set(reasons.map(({ code }) => code));
  const arena = codes.has('ARENA') ? forTheArena(model, target) : [];
  // An invalid model fits no board.
  return [...arena, ...(codes.has('ARENA') || codes.has('FLASH') ? await otherTargets(bytes, model, target) : [])];
}

/** Tries each change alone. If none is enough, tries them together, with as large an input as possible. */
function forTheArena(model: Model, target: Target): Suggestion[] {
  const plan = memoryPlan(target);
  const [large, small] = inputShares.map((share) => smallerInput(model, share));
  const enough = (suggestions: readonly Suggestion[]): boolean => suggestions.some(({ fits }) => fits);
  const largeInput = tried(model, target, large);
  // Half the size is tried only if three quarters are not enough.
  const alone = [
    ...tried(model, target, plan),
    ...tried(model, target, narrower),
    ...(enough(largeInput) ? largeInput : tried(model, target, small)),
  ];
  if (enough(alone) || alone.length < 2) return alone;
  // The memory plan comes last, because the other changes alter tensor sizes.
  const together = [
    [narrower, plan],
    [narrower, large, plan],
    [narrower, small, plan],
  ].map((alterations) => combined(model, target, alterations));
  return [...alone, ...(together.find(enough) ?? together.at(-1) ?? [])];
}

function memoryPlan(target: Target): Alteration {
  return {
    change: { kind: 'memory-plan' },
    apply: (model) => {
      const kernels = runtimeKernelsOf(target);
      if (kernels === null) return null;
      const plan = planMemory(model, kernels);
      return plan.arenaBytes >= plan.arenaBytesBefore ? null : plan.model;
    },
  };
}

/** Changes int16 activations to int8, which has the sizes of a model quantized to int8. */
const narrower: Alteration = {
  change: { kind: 'int8' },
  apply: (model) => {
    const wide = new Set(mainSubgraph(model).operators.flatMap(({ outputs }) => Array.from(outputs ?? [])));
    const copy = copyModel(model);
    const { tensors, inputs } = mainSubgraph(copy);
    let changed = 0;
    for (const [index, tensor] of tensors.entries()) {
      if (tensor.type !== TensorType.INT16 || !(wide.has(index) || inputs?.includes(index))) continue;
      tensor.type = TensorType.INT8;
      changed++;
    }
    return changed === 0 ? null : copy;
  },
};

/** Null if the model does not have exactly one image input. */
function smallerInput(model: Model, share: number): Alteration | null {
  const graph = mainSubgraph(model);
  const input = graph.inputs?.[0];
  const [batch = 1, height = 0, width = 0, channels = 0, ...more] = graph.tensors[input ?? -1]?.shape ?? [];
  if (graph.inputs?.length !== 1 || input === undefined || channels === 0 || more.length > 0) return null;
  const sizes = [batch, Math.round(height * share), Math.round(width * share), channels];
  return {
    change: { kind: 'smaller-input', from: [height, width], to: sizes.slice(1, 3) },
    apply: (altered) => resolveShapes(altered, { [tensorName(graph, input)]: sizes }),
  };
}

function combined(model: Model, target: Target, alterations: readonly (Alteration | null | undefined)[]): Suggestion[] {
  const changes: Change[] = [];
  let altered = model;
  for (const alteration of alterations) {
    const next = attempt(() => alteration?.apply(altered) ?? null);
    if (next === null || alteration == null) continue;
    altered = next;
    changes.push(alteration.change);
  }
  return changes.length < 2 ? [] : judged(altered, target, { kind: 'together', changes });
}

/** The smallest boards of the same kind that the model fits. */
async function otherTargets(bytes: Uint8Array, model: Model, target: Target): Promise<Suggestion[]> {
  const facts = factsOf(model);
  const boards = (await loadShippedTargets()).filter(
    ({ id, core, runtime }) => id !== target.id && core !== null && runtime.kernels !== 'edgetpu',
  );
  const fitting = boards
    .map((board) => ({ board, result: checkFile(bytes, model, board, { facts }) }))
    .filter(({ result }) => result.fits);
  return fitting
    .sort((a, b) => a.result.memory.budgets.arenaBytes - b.result.memory.budgets.arenaBytes)
    .slice(0, maxTargets)
    .map(({ board, result }) => ({
      kind: 'other-target',
      target: board.id,
      name: board.name,
      arenaBytes: result.memory.arenaBytes,
      fits: true,
    }));
}

function tried(model: Model, target: Target, alteration: Alteration | null | undefined): Suggestion[] {
  const altered = attempt(() => alteration?.apply(model) ?? null);
  return altered === null || alteration == null ? [] : judged(altered, target, alteration.change);
}

function judged(
  model: Model,
  target: Target,
  change: Change | { readonly kind: 'together'; readonly changes: readonly Change[] },
): Suggestion[] {
  const result = attempt(() => checkFile(writeModel(model), model, target));
  return result?.memory.arenaBytes == null
    ? []
    : [{ ...change, arenaBytes: result.memory.arenaBytes, fits: result.fits }];
}

/** null for a model that such a change would make invalid. */
function attempt<T>(make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof AtollError) return null;
    throw error;
  }
}
