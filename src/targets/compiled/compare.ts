// Compares what the compiler did with what was predicted.

import { type CheckResult, status } from '../index.js';
import type { CompilerLog } from './compiler-log.js';

export interface PredictionDifference {
  readonly what: string;
  readonly predicted: string;
  readonly compiled: string;
}

/** Tolerance for the predicted parameter bytes, as a share. */
const tolerance = 0.01;

/** @param parameters bytes of all parameters in the compiled file; null if it could not be opened */
export function compareWithPrediction(
  { operators, npuSubgraphs, memory }: CheckResult,
  log: CompilerLog,
  parameters: number | null,
): PredictionDifference[] {
  const predictedBytes = memory.parameterBytes ?? 0;
  return [
    ...placements(operators, log),
    ...(log.subgraphs === null || log.subgraphs === npuSubgraphs
      ? []
      : [{ what: 'subgraphs', predicted: String(npuSubgraphs), compiled: String(log.subgraphs) }]),
    ...(parameters === null || Math.abs(parameters - predictedBytes) <= tolerance * parameters
      ? []
      : [{ what: 'parameter bytes', predicted: String(predictedBytes), compiled: String(parameters) }]),
  ];
}

/** The log counts operators by name and status, without saying which ones. */
function placements(operators: CheckResult['operators'], { table }: CompilerLog): PredictionDifference[] {
  if (table.length === 0) return [];
  const mapped = (op: string): number => operators.filter((one) => one.op === op && one.placed === 'npu').length;
  const compiled = new Map<string, number>();
  for (const { op, count, status: said } of table)
    compiled.set(op, (compiled.get(op) ?? 0) + (said === status.mapped ? count : 0));
  return [...new Set([...operators.map(({ op }) => op), ...compiled.keys()])].flatMap((op) => {
    const [predicted, was] = [mapped(op), compiled.get(op) ?? 0];
    return predicted === was
      ? []
      : [{ what: `${op} on the Edge TPU`, predicted: String(predicted), compiled: String(was) }];
  });
}
