// Scales of weights and biases, per operator: an operator's bias has the scale of its input times its weights, so a
// bias that two operators share becomes two.

import { fail } from '../errors.js';
import type { Warning } from '../evaluate/index.js';
import { constantFloats, elementCount, type Model, mainSubgraph, type Operator, type Tensor, tensorLabel } from '../tflite/index.js';
import { type Channel, sharedScale } from './parameters.js';
import type { FixedQuantization, QuantizationRule } from './rules.js';

export interface WeightsPlan {
  readonly operator: number;
  readonly input: number;
  readonly tensor: number;
  readonly name: string;
  /** Dimension of the channels; one scale in all where it is null. */
  readonly axis: number | null;
  readonly scales: readonly number[];
}

export interface BiasPlan {
  readonly operator: number;
  readonly input: number;
  readonly tensor: number;
  readonly name: string;
  readonly scales: readonly number[];
}

export interface WeightsResult {
  readonly weights: readonly WeightsPlan[];
  readonly biases: readonly BiasPlan[];
  readonly warnings: readonly Warning[];
}

/** @throws QUANTIZE_RANGE, QUANTIZE_OVERFLOW, QUANTIZE_OPERATORS (weights that are computed) */
export function planWeights(model: Model, rules: readonly QuantizationRule[], parameters: (tensor: number) => FixedQuantization): WeightsResult {
  const weights: WeightsPlan[] = [];
  const biases: BiasPlan[] = [];
  const warnings: Warning[] = [];
  const subgraph = mainSubgraph(model);
  subgraph.operators.forEach((operator, o) => {
    const rule = rules[o];
    if (rule?.weights === undefined) return;
    const { input, axis, perChannel } = rule.weights;
    const tensor = operator.inputs?.[input] as number;
    const filter = subgraph.tensors[tensor] as Tensor;
    const bias = biasOf(operator, rule);
    const inputScale = parameters(operator.inputs?.[0] as number).scale;
    const channels = channelsOf(model, tensor, axis, bias?.tensor ?? null, o);
    const scales = (perChannel ? channels.map((channel) => [channel]) : [channels]).map((sharing, c) => {
      const result = sharedScale(sharing, inputScale);
      if (result === null) throw fail('QUANTIZE_OVERFLOW', { channel: c, tensor: tensorLabel(tensor, filter) });
      if (result.grown) {
        warnings.push({
          code: 'SCALE_GROWN',
          message: `channel ${c} of weights ${tensorLabel(tensor, filter)}: the scale grew so that its bias and accumulator fit 32 bits`,
        });
      }
      return result.scale;
    });
    weights.push({ operator: o, input, tensor, name: filter.name ?? '', axis: perChannel ? axis : null, scales });
    if (bias !== null) {
      biases.push({
        operator: o,
        input: bias.input,
        tensor: bias.tensor,
        name: subgraph.tensors[bias.tensor]?.name ?? '',
        scales: scales.map((scale) => Math.fround(inputScale * scale)),
      });
    }
  });
  return { weights, biases, warnings: summarize(warnings) };
}

function biasOf(operator: Operator, rule: QuantizationRule): { input: number; tensor: number } | null {
  const tensor = rule.bias === undefined ? -1 : (operator.inputs?.[rule.bias] ?? -1);
  return tensor < 0 ? null : { input: rule.bias as number, tensor };
}

function floats(model: Model, index: number, operator: number): Float32Array {
  const tensor = mainSubgraph(model).tensors[index] as Tensor;
  const values = constantFloats(model, tensor);
  if (values === null)
    throw fail('QUANTIZE_OPERATORS', { count: 1, operators: `operator ${operator}, whose weights ${tensorLabel(index, tensor)} are computed, not constant` });
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw fail('QUANTIZE_RANGE', { tensor: tensorLabel(index, tensor), reason: `element ${bad} is ${values[bad]}` });
  return values;
}

/** The weights and bias of every output channel. */
function channelsOf(model: Model, index: number, axis: number, biasIndex: number | null, operator: number): Channel[] {
  const values = floats(model, index, operator);
  const bias = biasIndex === null ? null : floats(model, biasIndex, operator);
  const shape = Array.from(mainSubgraph(model).tensors[index]?.shape ?? []);
  const count = shape[axis] as number;
  const inner = elementCount(shape.slice(axis + 1));
  const each = values.length / count;
  const channels = Array.from({ length: count }, (_, c) => ({ weights: new Float32Array(each), bias: bias?.[c] ?? 0 }));
  for (let i = 0; i < values.length; i++) {
    const c = Math.floor(i / inner) % count;
    (channels[c] as Channel).weights[Math.floor(i / (inner * count)) * inner + (i % inner)] = values[i] as number;
  }
  return channels;
}

/** One warning for many channels. */
function summarize(warnings: readonly Warning[]): Warning[] {
  if (warnings.length <= 3) return [...warnings];
  return [
    ...warnings.slice(0, 2),
    { code: 'SCALE_GROWN', message: `and ${warnings.length - 2} more channels like these (channels whose weights are all but zero, mostly)` },
  ];
}
