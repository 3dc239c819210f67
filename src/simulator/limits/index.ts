// Models that a runtime rejects in Prepare, or computes wrongly without an error. One table per runtime, used by the
// interpreter, `check` and the verification of quantized files.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { Model, SubGraph } from '../../formats/tflite/index.js';
import { type KernelProfile, kernelProfiles } from '../arithmetic/profile.js';
import { describeGraph, type Graph } from '../graph.js';
import type { OperatorContext } from '../operators/operator.js';
import { isQuantized, type Limit } from './rules.js';
import { tfliteLimits } from './tflite.js';
import { tflmLimits } from './tflm.js';
import { tflmTypes } from './tflm-types.js';
import { kernelRefusal, type TakenTypes, weightsRefusal } from './types.js';

export { kernelRefusal, tflmTypes, weightsRefusal };

export type Runtime = 'tflm' | 'tflite';

export interface BrokenLimit extends Pick<Limit, 'severity' | 'about'> {
  /** Operator index and name. */
  readonly place: string;
  readonly reason: string;
}

export const runtimeNames: Readonly<Record<Runtime, string>> = {
  tflm: 'TensorFlow Lite Micro',
  tflite: 'TensorFlow Lite',
};

const tables = { tflm: tflmLimits, tflite: tfliteLimits } as const;

/** The limits of the runtime that an operator breaks. */
export function brokenLimits(context: OperatorContext, runtime: Runtime): BrokenLimit[] {
  const { name, place } = context;
  const kernel = runtime === 'tflm' ? missingKernel(context) : null;
  const broken = (tables[runtime][name] ?? []).flatMap(({ severity, about, condition }): BrokenLimit[] => {
    const reason = condition(context);
    return reason === null ? [] : [{ severity, about, place, reason }];
  });
  return kernel === null ? broken : [{ severity: 'refused', about: 'types', place, reason: kernel }, ...broken];
}

/** Why TensorFlow Lite Micro has no kernel for the operator and its types; null if it has one. */
function missingKernel({ name, inputs }: OperatorContext): string | null {
  const taken = (tflmTypes as Readonly<Record<string, TakenTypes>>)[name];
  if (taken === undefined) return name.startsWith('custom:') ? null : 'the runtime has no kernel for it';
  const operands = inputs.map((operand) =>
    operand === null ? null : { type: operand.type, perAxis: operand.scale.length > 1 },
  );
  return kernelRefusal(
    name,
    typeof taken === 'string' || 'length' in taken ? { types: taken, weights: null } : taken,
    operands,
  );
}

/** The quantized operators of a graph and of the subgraphs that it calls, which are what runs on devices. */
export function integerOperators({ subgraphs }: Pick<Graph, 'subgraphs'>): OperatorContext[] {
  const all = [...subgraphs.values()].flatMap(({ operators }) => operators);
  return all.filter(({ inputs, outputs }) =>
    [...inputs, ...outputs].some((operand) => operand !== null && isQuantized(operand)),
  );
}

const namedReasons = 4;

/** @throws RUNTIME_REFUSES */
export function requireLimits(operators: readonly OperatorContext[], runtime: Runtime): void {
  const refusals = operators
    .flatMap((operator) => brokenLimits(operator, runtime))
    .filter(({ severity }) => severity === 'refused');
  if (refusals.length === 0) return;
  const named = refusals.slice(0, namedReasons).map(({ place, reason }) => `${place}: ${reason}`);
  const more = refusals.length > namedReasons ? [`${refusals.length - namedReasons} more`] : [];
  throw fail('RUNTIME_REFUSES', { runtime: runtimeNames[runtime], reasons: [...named, ...more].join('; ') });
}

/**
 * The reference profile of a runtime that supports the model: TensorFlow Lite Micro if possible, otherwise TensorFlow
 * Lite.
 * @returns profile: null if neither runtime supports the model; refusal: the first limit of TensorFlow Lite Micro that
 * the model breaks
 */
export function profileThatTakes(model: Model): {
  readonly profile: KernelProfile | null;
  readonly refusal: BrokenLimit | null;
} {
  const refusalOf = (profile: KernelProfile): BrokenLimit | null =>
    limitsBroken(model, profile).find(({ severity }) => severity === 'refused') ?? null;
  const refusal = refusalOf('tflm-reference');
  if (refusal === null) return { profile: 'tflm-reference', refusal };
  return { profile: refusalOf('tflite-reference') === null ? 'tflite-reference' : null, refusal };
}

/**
 * The limits of a profile's runtime that a model breaks, in the operators of the main subgraph and those that it calls.
 */
export function limitsBroken(model: Model, profile: KernelProfile): BrokenLimit[] {
  const arithmetic = kernelProfiles[profile];
  const { runtime } = arithmetic;
  return [...describeGraph(model, arithmetic).subgraphs].flatMap(([at, { operators }]) =>
    operators.flatMap((operator) => [
      ...brokenLimits(operator, runtime),
      ...(runtime === 'tflm' ? staleShapes(operator, elementAt(model.subgraphs, at)) : []),
    ]),
  );
}

/** TensorFlow Lite computes the shapes of tensors anew, TensorFlow Lite Micro takes what the file says. */
function staleShapes({ place, outputs }: OperatorContext, { tensors }: SubGraph): BrokenLimit[] {
  return outputs.flatMap(({ index, label, shape }) => {
    const stored = Array.from(tensors[index]?.shape ?? []);
    if (stored.length === shape.length && stored.every((size, d) => size === shape[d])) return [];
    const reason =
      `tensor ${label} is computed with shape [${shape.join(', ')}], but the file says [${stored.join(', ')}], ` +
      'by which memory is planned';
    return [{ severity: 'refused', about: 'graph', place, reason }];
  });
}
