// What would make a model fit a target that it does not fit: each tried, and measured by the same check.

import { checkFile } from './bundle/index.js';
import { AtollError } from './errors.js';
import { planMemory } from './optimize/index.js';
import { resolveShapes } from './simulator/index.js';
import { type CheckResult, factsOf, loadShippedTargets, runtimeKernelsOf, type Target } from './targets/index.js';
import { copyModel, type Model, mainSubgraph, TensorType, tensorName, writeModel } from './tflite/index.js';

export interface Remedy {
  readonly kind: 'memory-plan' | 'smaller-input' | 'int8' | 'other-target';
  readonly what: string;
  /** null where it does not change, or is not known. */
  readonly arenaBytes: number | null;
  /** Whether the model would fit. */
  readonly fits: boolean;
}

const inputShares = [0.75, 0.5] as const;
const mostTargets = 3;

/** In the order in which to try them: what costs no accuracy first. Empty for a model that fits. */
export async function remediesFor(bytes: Uint8Array, model: Model, target: Target, { fits, reasons }: CheckResult): Promise<readonly Remedy[]> {
  if (fits) return [];
  const codes = new Set(reasons.map(({ code }) => code));
  const arena = codes.has('ARENA') ? [...memoryPlans(model, target), ...narrower(model, target), ...smallerInputs(model, target)] : [];
  // Where the model is wrong in itself no board helps.
  return [...arena, ...(codes.has('ARENA') || codes.has('FLASH') ? await otherTargets(bytes, model, target) : [])];
}

function memoryPlans(model: Model, target: Target): Remedy[] {
  const kernels = runtimeKernelsOf(target);
  if (kernels === null) return [];
  const plan = planMemory(model, kernels);
  if (plan.arenaBytes >= plan.arenaBytesBefore) return [];
  return tried(plan.model, target, 'memory-plan', 'a memory plan in the file (`atoll optimize MODEL --plan-memory -o OUT`)');
}

/** As if activations of 16 bits had 8: what quantizing to int8 would give. */
function narrower(model: Model, target: Target): Remedy[] {
  const wide = new Set(mainSubgraph(model).operators.flatMap(({ outputs }) => Array.from(outputs ?? [])));
  const copy = copyModel(model);
  const tensors = mainSubgraph(copy).tensors;
  let changed = 0;
  for (const [index, tensor] of tensors.entries()) {
    if (tensor.type !== TensorType.INT16 || !(wide.has(index) || mainSubgraph(copy).inputs?.includes(index))) continue;
    tensor.type = TensorType.INT8;
    changed++;
  }
  return changed === 0 ? [] : tried(copy, target, 'int8', 'int8 instead of int16 (`atoll quantize` with --scheme int8)');
}

function smallerInputs(model: Model, target: Target): Remedy[] {
  const graph = mainSubgraph(model);
  const input = graph.inputs?.[0];
  const [batch = 1, height = 0, width = 0, channels = 0, ...more] = graph.tensors[input ?? -1]?.shape ?? [];
  if (graph.inputs?.length !== 1 || input === undefined || channels === 0 || more.length > 0) return [];
  for (const share of inputShares) {
    const sizes = [batch, Math.round(height * share), Math.round(width * share), channels];
    const resized = attempt(() => resolveShapes(model, { [tensorName(graph, input)]: sizes }));
    if (resized === null) continue;
    const remedies = tried(resized, target, 'smaller-input', `an input of ${sizes[1]} x ${sizes[2]} instead of ${height} x ${width} (trained for it)`);
    if (remedies.some(({ fits }) => fits) || share === inputShares.at(-1)) return remedies;
  }
  return [];
}

/** The smallest boards of the same kind that take it. */
async function otherTargets(bytes: Uint8Array, model: Model, target: Target): Promise<Remedy[]> {
  const facts = factsOf(model);
  const boards = (await loadShippedTargets()).filter(({ id, core, runtime }) => id !== target.id && core !== null && runtime.kernels !== 'edgetpu');
  const fitting = boards.map((board) => ({ board, result: checkFile(bytes, model, board, { facts }) })).filter(({ result }) => result.fits);
  return fitting
    .sort((a, b) => a.result.memory.budgets.arenaBytes - b.result.memory.budgets.arenaBytes)
    .slice(0, mostTargets)
    .map(({ board, result }) => ({ kind: 'other-target', what: `${board.id} (${board.name})`, arenaBytes: result.memory.arenaBytes, fits: true }));
}

function tried(model: Model, target: Target, kind: Remedy['kind'], what: string): Remedy[] {
  const result = attempt(() => checkFile(writeModel(model), model, target));
  return result?.memory.arenaBytes == null ? [] : [{ kind, what, arenaBytes: result.memory.arenaBytes, fits: result.fits }];
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
