// Chooses ranges by their effect on the output: first the best method for all tensors together, then better ones for
// single tensors. Choices are cross-validated, so that rare values are neither cut off nor overrated.

import { defined } from '../../base/checked.js';
import type { Amount } from '../../base/progress.js';
import { foldCount, type Reference, type Sqnr } from '../../evaluate/index.js';
import type { Model } from '../../formats/tflite/index.js';
import { applyPlan } from './apply.js';
import { type Calibration, combineFolds } from './calibrate.js';
import type { Ranges } from './formats.js';
import { type PlanOptions, planQuantization } from './plan.js';
import { chooseRange, type RangeMethod, relevantRange } from './ranges.js';
import { schemes } from './scheme.js';
import type { TensorStatistics } from './tensor-statistics.js';

/** What `ranges: auto` chose. */
export interface AutoRanges {
  readonly ranges: ReadonlyMap<number, Ranges>;
  /** Number of tensors whose range comes from each method. */
  readonly methods: Readonly<Partial<Record<RangeMethod, number>>>;
  /** SNR of the outputs in dB, cross-validated, with min-max and with the chosen ranges. */
  readonly before: number;
  readonly after: number;
}

/** Improvements below this, in dB, may be chance. */
const minGain = 0.15;

/**
 * Clipping ranges are kept only if together they improve output SNR by at least this, in dB. Samples from another
 * source exceed the calibration range more than calibration samples exceed each other, and smaller gains became losses
 * there.
 */
const minGainOfCutting = 1.5;

/** Methods that cut off no observed value. */
const wholeMethods = ['min-max', 'headroom'] as const satisfies readonly RangeMethod[];

/**
 * Not entropy and not moving averages: they cut off whole percents of values that are rare in the samples, but need not
 * be rare in the field.
 */
const candidateMethods = [...wholeMethods, 'percentile', 'mse'] as const satisfies readonly RangeMethod[];

/** By subgraph and tensor. */
type Choices = readonly (readonly (RangeMethod | null)[])[];

interface Chosen {
  readonly choices: Choices;
  readonly sqnr: Sqnr;
}

export async function autoRanges(
  model: Model,
  calibration: Calibration,
  reference: Reference,
  options: PlanOptions,
  onStep: (amount: Amount) => Promise<void>,
): Promise<AutoRanges> {
  // For int16 probabilities a larger range is relevant.
  const rangeOf = schemes[options.scheme ?? 'int8'].activations === 'int8' ? relevantRange : chooseRange;
  const all = candidateRanges(
    calibration.subgraphs.map(({ tensors }) => tensors),
    rangeOf,
  );
  const withoutFold = Array.from({ length: foldCount }, (_, fold) =>
    candidateRanges(
      calibration.subgraphs.map(({ folds }) => combineFolds(folds.filter((_, other) => other !== fold))),
      rangeOf,
    ),
  );
  const rangesOf = (candidates: readonly (readonly (Candidates | null)[])[], choices: Choices): Map<number, Ranges> =>
    new Map(
      calibration.subgraphs.map(({ subgraph, tensors }, s) => [
        subgraph,
        tensors.map((_, tensor) => {
          const method = choices[s]?.[tensor] ?? null;
          return method === null ? null : (candidates[s]?.[tensor]?.get(method) ?? null);
        }),
      ]),
    );
  const modelFor = (candidates: typeof all, choices: Choices): Model =>
    applyPlan(model, planQuantization(model, rangesOf(candidates, choices), options));
  const measure = (choices: Choices): Sqnr =>
    reference.crossValidated((fold) => modelFor(withoutFold[fold] ?? all, choices));
  const uniform = (method: RangeMethod): Choices =>
    calibration.subgraphs.map(({ tensors }) => tensors.map((statistics) => (statistics === null ? null : method)));

  const turns = turnsOf(model, calibration, options, rangesOf(all, uniform('min-max')));
  const total = wholeMethods.length + candidateMethods.length + 2 * turns.length;
  let done = 0;
  const step = (): Promise<void> => onStep({ done: ++done, total });
  /** For all tensors together. A method that did not help once does not help later. */
  const tried = new Set<RangeMethod>(['min-max']);
  const search = async (start: Chosen, methods: readonly RangeMethod[]): Promise<Chosen> => {
    let best = start;
    const attempt = (choices: Choices): void => {
      const sqnr = measure(choices);
      if (sqnr.decibels > best.sqnr.decibels + minGain) best = { choices, sqnr };
    };
    for (const method of methods) {
      if (!tried.has(method)) attempt(uniform(method));
      tried.add(method);
      await step();
    }
    for (const { at, tensors } of turns) {
      const [first] = tensors;
      const current = best.choices[at]?.[defined(first)] ?? null;
      for (const method of distinctMethods(methods, all[at]?.[defined(first)], current)) {
        attempt(
          best.choices.map((choice, s) =>
            s === at ? choice.map((known, tensor) => (tensors.includes(tensor) ? method : known)) : choice,
          ),
        );
      }
      await step();
    }
    return best;
  };
  const plain = { choices: uniform('min-max'), sqnr: measure(uniform('min-max')) };
  const before = plain.sqnr.decibels;
  const whole = await search(plain, wholeMethods);
  const cut = await search(whole, candidateMethods);
  const best = cut.sqnr.decibels > whole.sqnr.decibels + minGainOfCutting ? cut : whole;
  const methods: Partial<Record<RangeMethod, number>> = {};
  for (const method of best.choices.flat()) if (method !== null) methods[method] = (methods[method] ?? 0) + 1;
  return { ranges: rangesOf(all, best.choices), methods, before, after: best.sqnr.decibels };
}

type Candidates = ReadonlyMap<RangeMethod, { readonly min: number; readonly max: number }>;

/** The ranges of every method, by subgraph and tensor. */
function candidateRanges(
  subgraphs: readonly (readonly (TensorStatistics | null)[])[],
  rangeOf: typeof relevantRange,
): (Candidates | null)[][] {
  return subgraphs.map((tensors) =>
    tensors.map((statistics) =>
      statistics === null ? null : new Map(candidateMethods.map((method) => [method, rangeOf(statistics, method)])),
    ),
  );
}

/** Methods that give a different range than the current one, and than each other. */
function distinctMethods(
  methods: readonly RangeMethod[],
  candidates: Candidates | null | undefined,
  current: RangeMethod | null,
): RangeMethod[] {
  if (candidates == null || current === null) return [];
  const key = (method: RangeMethod): string => `${candidates.get(method)?.min} ${candidates.get(method)?.max}`;
  const seen = new Set([key(current)]);
  return methods.filter((method) => !seen.has(key(method)) && seen.add(key(method)) !== undefined);
}

/** Tensors whose scales are computed from their ranges, grouped by common scale. */
function turnsOf(
  model: Model,
  { subgraphs }: Calibration,
  options: PlanOptions,
  ranges: ReadonlyMap<number, Ranges>,
): { at: number; tensors: number[] }[] {
  const plan = planQuantization(model, ranges, options);
  return plan.subgraphs.flatMap(({ subgraph, activations }) => {
    const at = subgraphs.findIndex((entry) => entry.subgraph === subgraph);
    const groups = new Map<string, number[]>();
    for (const { tensor, range, type, group } of activations) {
      if (range === null) continue;
      const key = `${type} ${group}`;
      groups.set(key, [...(groups.get(key) ?? []), tensor]);
    }
    return [...groups.values()].map((tensors) => ({ at, tensors }));
  });
}
