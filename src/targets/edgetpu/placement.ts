// Predicts where the Edge TPU compiler places each operator. First, which ones it could map, by type, shape and
// options; then which ones it does map: since it maps one part of the graph, operators that depend on a CPU operator
// stay on the CPU too, except conversions before the first mapped operator.

import { elementAt } from '../../base/checked.js';
import { type Model, mainSubgraph } from '../../formats/tflite/index.js';
import { weightsRefusal } from '../../simulator/index.js';
import { type OperatorView, operatorViews, type TensorView } from '../operator-view.js';
import type { OperatorSet } from '../schema.js';
import { cyclesOf } from './cycles.js';
import { type ParameterBytes, parameterBytes } from './parameters.js';
import { type OperatorPlacement, rules } from './rules.js';
import { status } from './status.js';

export interface NpuPlacement {
  readonly index: number;
  readonly op: string;
  readonly mapped: boolean;
  /** In the compiler's words. */
  readonly status: string;
  /** Whether this follows a documented or inferred rule that no compiled model confirms. */
  readonly unconfirmed: boolean;
  /** Source of the operator's rule; null if it has none. */
  readonly source: string | null;
  /** Estimate of the compiler; 0 on the CPU. */
  readonly cycles: number;
}

export interface NpuPlacements {
  readonly operators: readonly NpuPlacement[];
  /** Parts that run on the Edge TPU; each is one custom operator of the compiled file. */
  readonly subgraphs: number;
  readonly parameters: ParameterBytes;
}

/** @param multipleSubgraphs map every possible part (the compiler's -a) */
export function placeOnEdgeTpu(model: Model, operatorSet: OperatorSet, multipleSubgraphs = false): NpuPlacements {
  const views = operatorViews(model, mainSubgraph(model));
  const verdicts = views.map((view) => verdictOf(view, operatorSet));
  const sources = sourcesOf(views);
  const reach = reachOf(views, verdicts, sources);
  const mapped = views.map((_, o) => verdicts[o]?.status === null && (multipleSubgraphs || reach[o] === 0));
  const operators = views.map(({ index, op }, o): NpuPlacement => {
    const verdict = elementAt(verdicts, o);
    const entry = operatorSet.operators[op];
    return {
      index,
      op,
      mapped: mapped[o] === true,
      status: verdict.status ?? (mapped[o] === true ? status.mapped : status.downstream),
      unconfirmed: verdict.status === null && (verdict.unconfirmed === true || entry?.unconfirmed === true),
      source: entry?.source ?? null,
      cycles: mapped[o] === true ? cyclesOf(elementAt(views, o)) : 0,
    };
  });
  return {
    operators,
    subgraphs: partsOf(mapped, reach, sources),
    parameters: parameterBytes(views.filter((_, o) => mapped[o])),
  };
}

/** Whether an operator could be mapped, regardless of its neighbours. */
function verdictOf(view: OperatorView, { operators }: OperatorSet): OperatorPlacement {
  const entry = operators[view.op];
  if (entry === undefined) return { status: status.unsupported };
  const named = entry.rules.map((name) => rules[name](view));
  // For a conversion from float the log has its own reason.
  const [first] = named.filter(({ status: refusal }) => refusal !== null);
  const computed = [...view.inputs, ...view.outputs].filter(
    (tensor): tensor is TensorView => tensor !== null && tensor.constant === null,
  );
  if (computed.some(({ dynamic }) => dynamic)) return { status: status.dynamic };
  const eightBit = computed.every(
    (tensor) => tensor.variable || entry.types === 'any' || entry.types.includes(tensor.type as 'int8'),
  );
  if (!eightBit || weightsRefusal(entry.weights, view.inputs) !== null) return first ?? { status: status.type };
  if (computed.some(({ shape }) => shape.slice(0, -3).some((size) => size > 1))) return { status: status.rank };
  return first ?? { status: null, unconfirmed: named.some(({ unconfirmed }) => unconfirmed === true) };
}

/** For each operator, the operators that compute its inputs. */
function sourcesOf(views: readonly OperatorView[]): number[][] {
  const producer = new Map(
    views.flatMap(({ index, outputs }) => outputs.map((tensor): [number, number] => [tensor.index, index])),
  );
  return views.map(({ inputs }) => [...new Set(inputs.flatMap((tensor) => producer.get(tensor?.index ?? -1) ?? []))]);
}

/** Operators that may precede the mapped part: the Edge TPU does not need to compute their inputs. */
const leading = new Set(['QUANTIZE', 'CAST', 'DEQUANTIZE']);

/**
 * For each operator, the number of changes from the CPU back to the Edge TPU on the path to it; 0 for operators of the
 * first part.
 */
function reachOf(
  views: readonly OperatorView[],
  verdicts: readonly OperatorPlacement[],
  sources: readonly (readonly number[])[],
): number[] {
  const reach: number[] = [];
  const isPrefix: boolean[] = [];
  for (const [o, { op }] of views.entries()) {
    const before = elementAt(sources, o);
    isPrefix[o] = verdicts[o]?.status !== null && leading.has(op) && before.every((source) => isPrefix[source]);
    const steps = before.map(
      (source) => (reach[source] ?? 0) + (verdicts[source]?.status !== null && !isPrefix[source] ? 1 : 0),
    );
    reach[o] = Math.max(0, ...steps);
  }
  return reach;
}

/** Connected groups of mapped operators. */
function partsOf(
  mapped: readonly boolean[],
  reach: readonly number[],
  sources: readonly (readonly number[])[],
): number {
  const part = mapped.map((_, o) => o);
  const root = (o: number): number => (part[o] === o ? o : root(elementAt(part, o)));
  for (const [o, before] of sources.entries()) {
    for (const source of before)
      if (mapped[o] && mapped[source] && reach[o] === reach[source]) part[root(o)] = root(source);
  }
  const roots = new Set(mapped.flatMap((isMapped, o) => (isMapped ? [root(o)] : [])));
  // The first part is one operator of the compiled file, even if it is not connected.
  const inFirst = [...roots].filter((o) => reach[o] === 0).length;
  return inFirst === 0 ? roots.size : roots.size - inFirst + 1;
}
