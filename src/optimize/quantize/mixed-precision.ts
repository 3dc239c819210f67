// Mixed precision: gives tensors a wider type, in the order of their benefit, until the outputs reach the requested
// SNR. A tensor is wide if the operators that write and read it compute in the wider type.

import { elementAt } from '../../base/checked.js';
import { AtollError } from '../../base/errors.js';
import type { Amount } from '../../base/progress.js';
import type { Reference } from '../../evaluate/index.js';
import { type Model, mainSubgraph, operatorName, type SubGraph } from '../../formats/tflite/index.js';
import { arenaOf, referenceKernels } from '../../simulator/index.js';
import { applyPlan } from './apply.js';
import type { OperatorMode } from './modes.js';
import type { QuantizationPlan } from './plan.js';

/** The type for operators that int8 does not serve; float only if the scheme leaves operators in float. */
export type WiderType = 'int16' | 'float32';

/** A tensor of an operator that was widened. */
export interface WidenedTensor {
  readonly tensor: number;
  readonly name: string;
  /** Operators that write and read it. */
  readonly operators: readonly number[];
  /** Improvement of the outputs by this tensor alone, in dB. */
  readonly gain: number;
}

/** Operators that were widened until the outputs reached a signal-to-noise ratio. */
export interface MixedPrecision {
  readonly wider: WiderType;
  /** In the order in which they were chosen. */
  readonly tensors: readonly WidenedTensor[];
  /** All operators that compute in the wider type, in order. */
  readonly operators: readonly { readonly operator: number; readonly op: string }[];
  /** SNR of the outputs in dB, without and with the wider tensors. */
  readonly before: number;
  /** Signal-to-noise ratio afterwards, in dB. */
  readonly after: number;
  /** Whether the requested ratio was reached. */
  readonly reached: boolean;
  /** Of the original model. */
  readonly unmixed: Model;
  /** With TFLite Micro's reference kernels. */
  readonly arenaBytes: { readonly before: number; readonly after: number };
}

export interface MixOptions {
  readonly minDecibels: number;
  readonly wider: WiderType;
  readonly planOf: (exceptions: ReadonlyMap<number, OperatorMode>) => QuantizationPlan;
  readonly onStep: (amount: Amount) => Promise<void>;
}

export async function mixPrecision(
  model: Model,
  reference: Reference,
  { minDecibels, wider, planOf, onStep }: MixOptions,
): Promise<MixedPrecision> {
  const subgraph = mainSubgraph(model);
  const operatorsOf = (chosen: readonly Candidate[]): number[] =>
    [...new Set(chosen.flatMap(({ operators }) => operators))].sort((a, b) => a - b);
  const modelFor = (chosen: readonly Candidate[]): Model =>
    applyPlan(model, planOf(new Map(operatorsOf(chosen).map((operator) => [operator, wider]))));
  const measure = (chosen: readonly Candidate[]): number => reference.sqnr(modelFor(chosen)).decibels;
  const before = measure([]);
  const modes = planOf(new Map()).subgraphs[0]?.operators.map(({ mode }) => mode) ?? [];
  const candidates = before < minDecibels ? candidatesOf(subgraph, modes) : [];
  const gains: WidenedTensor[] = [];
  for (const [done, candidate] of candidates.entries()) {
    const decibels = known(() => measure([candidate]));
    if (decibels !== null)
      gains.push({ ...candidate, name: subgraph.tensors[candidate.tensor]?.name ?? '', gain: decibels - before });
    await onStep({ done: done + 1, total: candidates.length });
  }
  gains.sort((a, b) => b.gain - a.gain);
  let chosen: WidenedTensor[] = [];
  let after = before;
  for (const candidate of gains) {
    if (after >= minDecibels) break;
    const next = [...chosen, candidate];
    const decibels = known(() => measure(next));
    // Together with the others it may have no effect.
    if (decibels === null || decibels <= after) continue;
    [chosen, after] = [next, decibels];
  }
  const arenaBytes = (widened: readonly Candidate[]): number => arenaOf(modelFor(widened), referenceKernels).arenaBytes;
  return {
    wider,
    tensors: chosen,
    operators: operatorsOf(chosen).map((operator) => ({
      operator,
      op: operatorName(model, elementAt(subgraph.operators, operator)),
    })),
    before,
    after,
    reached: after >= minDecibels,
    unmixed: modelFor([]),
    arenaBytes: { before: arenaBytes([]), after: arenaBytes(chosen) },
  };
}

interface Candidate {
  readonly tensor: number;
  readonly operators: readonly number[];
}

/** Every tensor that an int8 operator writes, with all int8 operators that write and read it. */
function candidatesOf({ operators }: SubGraph, modes: readonly OperatorMode[]): Candidate[] {
  const integer = operators.flatMap((operator, o) => (modes[o] === 'int8' ? [{ operator, o }] : []));
  return integer.flatMap(({ operator: writer, o }) =>
    Array.from(writer.outputs ?? [], (tensor) => ({
      tensor,
      operators: [o, ...integer.filter(({ operator }) => operator.inputs?.includes(tensor)).map((reader) => reader.o)],
    })),
  );
}

/** null if an operator has no such form. */
function known(measure: () => number): number | null {
  try {
    return measure();
  } catch (error) {
    if (error instanceof AtollError && error.code === 'QUANTIZE_OPERATORS') return null;
    throw error;
  }
}
