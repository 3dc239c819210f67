// Finds the operator on which a compiler fails: the shortest beginning of a model that fails, by bisection.

import { type Model, mainSubgraph, operatorName, prefixOf, writeModel } from '../../formats/tflite/index.js';

export interface Bisection {
  /** Operators of the failing beginning; the last one causes the failure. */
  readonly operators: number;
  readonly op: string;
  readonly runs: number;
  readonly model: Model;
}

/**
 * @param fails whether the compiler fails on these bytes
 * @returns null if it does not fail on all operators
 */
export async function bisect(model: Model, fails: (bytes: Uint8Array) => Promise<boolean>): Promise<Bisection | null> {
  const total = mainSubgraph(model).operators.length;
  let runs = 0;
  const failsAt = async (operators: number): Promise<boolean> => {
    runs++;
    return fails(writeModel(prefixOf(model, operators)));
  };
  if (total === 0 || !(await failsAt(total))) return null;
  // It compiles the first `works` operators, as far as known, and fails on the first `broken`.
  let [works, broken] = [0, total];
  while (broken - works > 1) {
    const middle = (works + broken) >> 1;
    if (await failsAt(middle)) broken = middle;
    else works = middle;
  }
  const operator = mainSubgraph(model).operators[broken - 1];
  return {
    operators: broken,
    op: operator === undefined ? '' : operatorName(model, operator),
    runs,
    model: prefixOf(model, broken),
  };
}
