// Decides how every tensor is stored. The plan is plain data; apply.ts applies it.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { Warning } from '../../base/warnings.js';
import {
  constantFloats,
  elementCount,
  linksOf,
  type Model,
  operatorCodeOf,
  type SubGraph,
} from '../../formats/tflite/index.js';
import { calledSubgraphs } from '../../simulator/index.js';
import { pinOf } from './dequantize.js';
import {
  type ActivationPlan,
  type ConversionPlan,
  Formats,
  noRange,
  type Ranges,
  type SubgraphOptions,
} from './formats.js';
import { decideModes, type ModeExceptions, type OperatorMode, ruleOf } from './modes.js';
import { type NumberType, realLimits } from './number-format.js';
import { type SchemeName, schemeOf, schemes } from './scheme.js';
import { type BiasPlan, type Granularity, planWeights, type WeightsPlan } from './weights.js';

/** The types in which an operator computes, and its version. */
export interface OperatorPlan {
  readonly mode: OperatorMode;
  readonly version: number;
}

/** The plan of one subgraph. */
export interface SubgraphPlan {
  readonly subgraph: number;
  /** In order. */
  readonly operators: readonly OperatorPlan[];
  readonly activations: readonly ActivationPlan[];
  readonly conversions: readonly ConversionPlan[];
  readonly weights: readonly WeightsPlan[];
  readonly biases: readonly BiasPlan[];
  /** Constants stored in float16, followed by a DEQUANTIZE. */
  readonly float16Constants: readonly number[];
}

/** What is done to each operator, tensor and constant; plain data. */
export interface QuantizationPlan {
  readonly scheme: SchemeName;
  readonly io: NumberType;
  readonly subgraphs: readonly SubgraphPlan[];
  readonly warnings: readonly Warning[];
}

/** What a quantization plan is made of. */
export interface PlanOptions {
  readonly scheme?: SchemeName;
  /** Type of inputs and outputs; the scheme's default if absent. */
  readonly io?: NumberType;
  /** Granularity of FULLY_CONNECTED weight scales; per-tensor by default. */
  readonly dense?: Granularity;
  /** Operators of the main subgraph that deviate from the scheme. */
  readonly exceptions?: ModeExceptions;
}

/**
 * @param ranges by subgraph; none for schemes with float activations
 * @throws QUANTIZE_NOT_FLOAT, QUANTIZE_OPERATORS, QUANTIZE_RANGE, QUANTIZE_OVERFLOW, USAGE
 */
export function planQuantization(
  model: Model,
  ranges: ReadonlyMap<number, Ranges>,
  options: PlanOptions = {},
): QuantizationPlan {
  requireFloat(model);
  const { scheme = 'int8', dense = 'per-tensor' } = options;
  const rules = schemes[scheme];
  const io = ioOf(scheme, options.io);
  const called = calledSubgraphs(model);
  const warnings: Warning[] = [];
  const subgraphs = model.subgraphs.flatMap((subgraph, index) => {
    // Subgraphs that others call stay float, like the operator that calls them.
    if (called.has(index)) return [];
    const planned = planSubgraph(model, subgraph, index, {
      rules,
      io,
      dense,
      ranges: ranges.get(index) ?? [],
      exceptions: index === 0 ? options.exceptions : undefined,
    });
    warnings.push(...planned.warnings);
    return [planned.plan];
  });
  return { scheme, io, subgraphs, warnings };
}

/** @throws USAGE */
export function ioOf(scheme: SchemeName, io: NumberType | undefined): NumberType {
  const known = schemes[scheme].io;
  if (io !== undefined && !known.includes(io))
    throw fail('USAGE', { reason: `scheme ${scheme} has inputs and outputs in ${known.join(' or ')}, not ${io}` });
  return io ?? known[0];
}

function planSubgraph(
  model: Model,
  subgraph: SubGraph,
  index: number,
  options: SubgraphOptions,
): { plan: SubgraphPlan; warnings: readonly Warning[] } {
  const modes = decideModes(model, subgraph, options.rules, options.exceptions);
  const formats = new Formats(model, subgraph, modes, options);
  const { weights, biases, warnings } = planWeights({
    model,
    subgraph,
    modes,
    dense: options.dense,
    formatRead: (operator, input) => formats.read(operator, input),
  });
  const activations = formats.activations();
  return {
    plan: {
      subgraph: index,
      operators: subgraph.operators.map((operator, o) => {
        const mode = elementAt(modes, o);
        // A file may use features of a later version only.
        return {
          mode,
          version: Math.max(operatorCodeOf(model, operator).version, versionOf(ruleOf(model, operator), mode)),
        };
      }),
      activations,
      conversions: formats.conversions(),
      weights,
      biases,
      float16Constants: options.rules.floatConstants === 'float16' ? floatConstants(model, subgraph) : [],
    },
    warnings: [
      ...missingRanges(activations, options.ranges),
      ...exceededRanges(subgraph, activations, options.ranges),
      ...warnings,
    ],
  };
}

function versionOf(rule: ReturnType<typeof ruleOf>, mode: OperatorMode): number {
  if (mode === 'float32') return 1;
  return (mode === 'dynamic-range' ? rule?.weights?.dynamicRange : rule?.versions[mode]) ?? 1;
}

function missingRanges(activations: readonly ActivationPlan[], ranges: Ranges): Warning[] {
  return activations
    .filter(({ tensor, range }) => range === noRange && ranges[tensor] == null)
    .map(({ tensor, name }) => ({
      code: 'RANGE_MISSING',
      message: `no calibration sample computed tensor ${tensor} "${name}"; its scale is set to 1`,
    }));
}

/** Tensors with a fixed range that calibration data exceeds. */
function exceededRanges(subgraph: SubGraph, activations: readonly ActivationPlan[], ranges: Ranges): Warning[] {
  return activations.flatMap(({ tensor, name, ...format }): Warning[] => {
    const seen = ranges[tensor];
    if (seen == null || pinOf(elementAt(subgraph.tensors, tensor)) === null) return [];
    const [low, high] = realLimits(format);
    if (seen.min >= low - format.scale && seen.max <= high + format.scale) return [];
    const message =
      `tensor ${tensor} "${name}" reached ${seen.min.toPrecision(3)} to ${seen.max.toPrecision(3)} in ` +
      `calibration, but the file fixes its range to ${low.toPrecision(3)} to ${high.toPrecision(3)}: values ` +
      'beyond saturate';
    return [{ code: 'RANGE_EXCEEDED', message }];
  });
}

/** Largest magnitude of float16. */
const maxHalf = 65504;

/** Constants that operators read in float and that float16 can represent. */
function floatConstants(model: Model, subgraph: SubGraph): number[] {
  const { consumers } = linksOf(subgraph);
  return subgraph.tensors.flatMap((tensor, index) => {
    const values = consumers.has(index) && elementCount(tensor.shape ?? []) > 0 ? constantFloats(model, tensor) : null;
    return values?.every((value) => Math.abs(value) <= maxHalf) ? [index] : [];
  });
}

/** @throws QUANTIZE_NOT_FLOAT */
export function requireFloat(model: Model): void {
  const scheme = schemeOf(model);
  if (scheme !== 'float32') throw fail('QUANTIZE_NOT_FLOAT', { where: 'the model', reason: `it is ${scheme} already` });
}
