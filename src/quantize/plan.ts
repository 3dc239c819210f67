// Decides how every tensor is quantized. The plan is plain data; apply.ts carries it out.

import { fail } from '../errors.js';
import type { Warning } from '../evaluate/index.js';
import {
  constantBytes,
  constantFloats,
  type Model,
  mainSubgraph,
  type OperatorName,
  operatorName,
  type Tensor,
  TensorType,
  tensorLabel,
} from '../tflite/index.js';
import type { Calibration } from './calibrate.js';
import type { Range } from './parameters.js';
import { type QuantizationRule, quantizationRules } from './rules.js';
import { ScaleGroups } from './scale-groups.js';
import { schemeOf } from './scheme.js';
import { type BiasPlan, planWeights, type WeightsPlan } from './weights.js';

export interface ActivationPlan {
  readonly tensor: number;
  readonly name: string;
  /** What calibration saw; null for constants and fixed quantizations. */
  readonly range: Range | null;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** A QUANTIZE operator before one input, where operands that must share a scale cannot. */
export interface RequantizePlan {
  readonly operator: number;
  readonly input: number;
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface QuantizationPlan {
  readonly scheme: 'int8';
  readonly activations: readonly ActivationPlan[];
  readonly weights: readonly WeightsPlan[];
  readonly biases: readonly BiasPlan[];
  readonly requantize: readonly RequantizePlan[];
  /** Version of each operator, in order. */
  readonly operatorVersions: readonly number[];
  readonly warnings: readonly Warning[];
}

/**
 * @param model the float model that was calibrated
 * @throws QUANTIZE_NOT_FLOAT, QUANTIZE_OPERATORS, QUANTIZE_RANGE, QUANTIZE_OVERFLOW
 */
export function planQuantization(model: Model, calibration: Calibration): QuantizationPlan {
  requireFloat(model);
  const rules = rulesOf(model);
  const subgraph = mainSubgraph(model);
  const isFloat = (tensor: number): boolean => subgraph.tensors[tensor]?.type === TensorType.FLOAT32;
  const groups = new ScaleGroups(subgraph.tensors.length);
  const range = rangesOf(model, calibration);

  subgraph.operators.forEach((operator, o) => {
    const fixed = rules[o]?.fixedOutput;
    if (fixed !== undefined) groups.fix(operator.outputs?.[0] as number, fixed);
  });
  // Operators with one data input first: what they pass on can then be known as fixed before several meet.
  const shared = subgraph.operators.map((operator, o) => ({ operator, o })).filter(({ o }) => rules[o]?.sameScale);
  const dataInputs = (operator: (typeof shared)[number]['operator']): number[] =>
    Array.from(operator.inputs ?? []).filter((tensor) => tensor >= 0 && isFloat(tensor));
  for (const { operator } of shared) {
    const [input, ...others] = dataInputs(operator);
    if (input !== undefined && others.length === 0) groups.join(input, operator.outputs?.[0] as number);
  }
  const apart: { operator: number; input: number; output: number }[] = [];
  for (const { operator, o } of shared) {
    if (dataInputs(operator).length < 2) continue;
    const output = operator.outputs?.[0] as number;
    operator.inputs?.forEach((tensor, input) => {
      if (groups.fixedOf(tensor) === null && groups.fixedOf(output) === null) groups.join(tensor, output);
      else apart.push({ operator: o, input, output });
    });
  }

  const parameters = groups.parameters((tensor) => range(tensor));
  const weights = planWeights(model, rules, parameters);
  const activations = activationTensors(model, [...weights.weights, ...weights.biases]).map((tensor): ActivationPlan => {
    const { scale, zeroPoint } = parameters(tensor);
    return { tensor, name: subgraph.tensors[tensor]?.name ?? '', range: groups.fixedOf(tensor) === null ? range(tensor) : null, scale, zeroPoint };
  });
  return {
    scheme: 'int8',
    activations,
    ...weights,
    requantize: apart.flatMap(({ operator, input, output }): RequantizePlan[] => {
      const from = parameters(subgraph.operators[operator]?.inputs?.[input] as number);
      const to = parameters(output);
      return from.scale === to.scale && from.zeroPoint === to.zeroPoint ? [] : [{ operator, input, ...to }];
    }),
    operatorVersions: rules.map((rule) => rule.version),
    warnings: [...calibration.warnings, ...missingRanges(model, activations, calibration), ...weights.warnings],
  };
}

function missingRanges(model: Model, activations: readonly ActivationPlan[], calibration: Calibration): Warning[] {
  const { tensors } = mainSubgraph(model);
  return activations
    .filter(({ tensor, range }) => range !== null && calibration.ranges[tensor] == null && constantBytes(model, tensors[tensor] as Tensor) === null)
    .map(({ tensor, name }) => ({ code: 'RANGE_MISSING', message: `no calibration sample ever computed tensor ${tensor} "${name}"; its scale is set to 1` }));
}

/** @throws QUANTIZE_NOT_FLOAT */
export function requireFloat(model: Model): void {
  const refuse = (reason: string): Error => fail('QUANTIZE_NOT_FLOAT', { where: 'the model', reason });
  if (model.subgraphs.length !== 1)
    throw refuse(`it has ${model.subgraphs.length} subgraphs (control flow or several signatures), which quantize does not take yet`);
  const scheme = schemeOf(model);
  if (scheme !== 'float32') throw refuse(`it is ${scheme} already`);
}

function rulesOf(model: Model): QuantizationRule[] {
  const subgraph = mainSubgraph(model);
  const missing: string[] = [];
  const rules = subgraph.operators.map((operator, o) => {
    const name = operatorName(model, operator);
    const rule = quantizationRules.get(name as OperatorName);
    if (rule === undefined) missing.push(`${name} (operator ${o})`);
    return rule ?? { version: 1 };
  });
  if (missing.length > 0) throw fail('QUANTIZE_OPERATORS', { count: missing.length, operators: missing.join(', ') });
  return rules;
}

/** Float tensors that operators read or write other than as weights or bias, in order of index. */
function activationTensors(model: Model, special: readonly { readonly operator: number; readonly input: number }[]): number[] {
  const subgraph = mainSubgraph(model);
  const asWeights = new Set(special.map(({ operator, input }) => `${operator}/${input}`));
  const used = new Set<number>([...(subgraph.inputs ?? []), ...(subgraph.outputs ?? [])]);
  subgraph.operators.forEach((operator, o) => {
    operator.inputs?.forEach((tensor, input) => {
      if (!asWeights.has(`${o}/${input}`)) used.add(tensor);
    });
    for (const tensor of operator.outputs ?? []) used.add(tensor);
  });
  return [...used].filter((tensor) => tensor >= 0 && subgraph.tensors[tensor]?.type === TensorType.FLOAT32).sort((a, b) => a - b);
}

/** What is never computed is never read either: any scale will do. A warning names such tensors. */
const noRange: Range = { min: 0, max: 0 };

/** The range of a tensor: its values where it is constant, what calibration saw otherwise. */
function rangesOf(model: Model, calibration: Calibration): (tensor: number) => Range {
  const subgraph = mainSubgraph(model);
  return (index) => {
    const tensor = subgraph.tensors[index] as Tensor;
    const label = tensorLabel(index, tensor);
    const constant = constantFloats(model, tensor);
    const range = constant === null ? (calibration.ranges[index] ?? noRange) : rangeOfValues(constant);
    if (!Number.isFinite(range.min) || !Number.isFinite(range.max))
      throw fail('QUANTIZE_RANGE', { tensor: label, reason: `its values reach from ${range.min} to ${range.max}` });
    return range;
  };
}

function rangeOfValues(values: Float32Array): Range {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (Number.isNaN(value)) return { min: Number.NaN, max: Number.NaN };
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return { min, max };
}
