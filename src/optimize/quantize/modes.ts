// Decides the type in which each operator of a subgraph computes, from the scheme and the recipe's exceptions.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import {
  elementCount,
  isConstantFloat,
  type Model,
  type Operator,
  type OperatorName,
  operatorName,
  type SubGraph,
  TensorType,
  tensorName,
} from '../../formats/tflite/index.js';
import type { IntegerType } from './number-format.js';
import { type QuantizationRule, quantizationRules } from './rules.js';
import type { SchemeRules } from './scheme.js';

/** `dynamic-range`: int8 weights, float activations that the kernel quantizes at run time. */
export type OperatorMode = 'float32' | 'dynamic-range' | IntegerType;

/** Operators that deviate from the scheme, by index. */
export type ModeExceptions = ReadonlyMap<number, OperatorMode>;

/**
 * With fewer elements the converter keeps weights in float: they save less than they cost (quantize_weights.cc,
 * kWeightsMinNumElementsDefault).
 */
const minDynamicRangeWeights = 1024;

/** @throws QUANTIZE_OPERATORS with every operator that has no form in the scheme */
export function decideModes(
  model: Model,
  subgraph: SubGraph,
  scheme: SchemeRules,
  exceptions: ModeExceptions = new Map(),
): OperatorMode[] {
  const refused: string[] = [];
  const modes = subgraph.operators.map((operator, o): OperatorMode => {
    if (!touchesFloat(subgraph, operator)) return 'float32';
    const name = operatorName(model, operator);
    const wanted = exceptions.get(o) ?? scheme.activations ?? (scheme.dynamicRange ? 'dynamic-range' : 'float32');
    const reason = obstacle(model, subgraph, operator, wanted);
    if (reason === null) return wanted;
    if (wanted !== 'dynamic-range' && !scheme.floatFallback)
      refused.push(
        `${name} (operator ${o}, which computes "${tensorName(subgraph, operator.outputs?.[0] ?? -1)}"${reason})`,
      );
    return 'float32';
  });
  if (refused.length > 0)
    throw fail('QUANTIZE_OPERATORS', {
      type: scheme.activations ?? 'integer',
      count: refused.length,
      operators: refused.join(', '),
    });
  return modes;
}

export function ruleOf(model: Model, operator: Operator): QuantizationRule | undefined {
  return quantizationRules.get(operatorName(model, operator) as OperatorName);
}

function touchesFloat(subgraph: SubGraph, operator: Operator): boolean {
  return [...(operator.inputs ?? []), ...(operator.outputs ?? [])].some(
    (tensor) => subgraph.tensors[tensor]?.type === TensorType.FLOAT32,
  );
}

/** Why an operator cannot compute in a mode; null if it can. */
function obstacle(model: Model, subgraph: SubGraph, operator: Operator, mode: OperatorMode): string | null {
  if (mode === 'float32') return null;
  const rule = ruleOf(model, operator);
  const known =
    mode === 'dynamic-range' ? rule?.weights?.dynamicRange !== undefined : rule?.versions[mode] !== undefined;
  if (rule === undefined || !known) return '';
  if (rule.weights === undefined) return null;
  const weights = subgraph.tensors[operator.inputs?.[rule.weights.weights] ?? -1];
  const bias = operator.inputs?.[rule.weights.bias] ?? -1;
  if (weights === undefined || !isConstantFloat(model, weights)) return ', whose weights are computed, not constant';
  if (bias >= 0 && !isConstantFloat(model, elementAt(subgraph.tensors, bias)))
    return ', whose bias is computed, not constant';
  if (mode === 'dynamic-range' && elementCount(weights.shape ?? []) < minDynamicRangeWeights) return '';
  return null;
}
