// Decides the scales of weights and biases. The bias scale is input scale times weight scale.

import { defined, elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { Warning } from '../../base/warnings.js';
import {
  constantFloats,
  elementCount,
  type Model,
  type Operator,
  type SubGraph,
  tensorLabel,
} from '../../formats/tflite/index.js';
import { pinnedWeights } from './dequantize.js';
import { type OperatorMode, ruleOf } from './modes.js';
import type { NumberFormat } from './number-format.js';
import { type Channel, sharedScale, symmetricScale } from './parameters.js';
import type { WeightsRule } from './rules.js';

/** For operators with a choice: one scale for all weights, or one per output channel. */
export type Granularity = 'per-tensor' | 'per-channel';

/** Weights as integers: symmetric, with zero point 0, one scale for all channels or one for each. */
export interface WeightsPlan {
  readonly operator: number;
  /** Position among the operator's inputs. */
  readonly input: number;
  readonly tensor: number;
  readonly name: string;
  /** Channel dimension; null for a single scale. */
  readonly axis: number | null;
  /** One for all channels, or one for each. */
  readonly scales: readonly number[];
}

/** A bias as int32 (int64 for int16 activations), whose scale is that of the input times that of the weights. */
export interface BiasPlan {
  readonly operator: number;
  /** Position among the operator's inputs. */
  readonly input: number;
  readonly tensor: number;
  readonly name: string;
  readonly type: 'int32' | 'int64';
  /** One for all channels, or one for each. */
  readonly scales: readonly number[];
}

export interface WeightsResult {
  readonly weights: readonly WeightsPlan[];
  readonly biases: readonly BiasPlan[];
  readonly warnings: readonly Warning[];
}

export interface WeightsContext {
  readonly model: Model;
  readonly subgraph: SubGraph;
  readonly modes: readonly OperatorMode[];
  readonly dense: Granularity;
  /** The format in which an operator reads a tensor. */
  readonly formatRead: (operator: number, input: number) => NumberFormat;
}

/** @throws QUANTIZE_RANGE, QUANTIZE_OVERFLOW */
export function planWeights(context: WeightsContext): WeightsResult {
  const { model, subgraph, modes } = context;
  const weights: WeightsPlan[] = [];
  const biases: BiasPlan[] = [];
  const warnings: Warning[] = [];
  subgraph.operators.forEach((operator, o) => {
    const mode = elementAt(modes, o);
    const rule = ruleOf(model, operator)?.weights;
    if (rule === undefined || mode === 'float32') return;
    const tensor = defined(operator.inputs?.[rule.weights]);
    const name = subgraph.tensors[tensor]?.name ?? '';
    const pinned = pinnedWeights(elementAt(subgraph.tensors, tensor));
    const perChannel =
      (pinned !== null && pinned.length > 1) ||
      rule.perChannel === 'always' ||
      mode === 'dynamic-range' ||
      context.dense === 'per-channel';
    const bias = operator.inputs?.[rule.bias] ?? -1;
    const channels = channelsOf(model, subgraph, tensor, rule.axis, bias);
    const inputScale = context.formatRead(o, rule.data).scale;
    const scales = (perChannel ? channels.map((channel) => [channel]) : [channels]).map((sharing, c) => {
      const known = pinned?.[pinned.length === 1 ? 0 : c];
      if (known !== undefined) return known;
      if (mode !== 'int8') return symmetricScale(sharing);
      const label = tensorLabel(tensor, elementAt(subgraph.tensors, tensor));
      const result = sharedScale(sharing, inputScale);
      if (result === null) throw fail('QUANTIZE_OVERFLOW', { channel: c, tensor: label });
      if (result.grown)
        warnings.push({
          code: 'SCALE_GROWN',
          message:
            `channel ${c} of weights ${label}: the scale was enlarged so that its bias and accumulator fit into ` +
            '32 bits',
        });
      return result.scale;
    });
    weights.push({ operator: o, input: rule.weights, tensor, name, axis: perChannel ? rule.axis : null, scales });
    if (bias < 0 || mode === 'dynamic-range') return;
    biases.push({
      operator: o,
      input: rule.bias,
      tensor: bias,
      name: subgraph.tensors[bias]?.name ?? '',
      type: mode === 'int8' ? 'int32' : 'int64',
      scales: scales.map((scale) => Math.fround(inputScale * scale)),
    });
  });
  return { weights, biases, warnings: summarize(warnings) };
}

/** The inputs that an operator uses as weights or bias. */
export function weightInputs(model: Model, operator: Operator, mode: OperatorMode): number[] {
  const rule: WeightsRule | undefined = mode === 'float32' ? undefined : ruleOf(model, operator)?.weights;
  if (rule === undefined) return [];
  return mode === 'dynamic-range' ? [rule.weights] : [rule.weights, rule.bias];
}

function floats(model: Model, subgraph: SubGraph, index: number): Float32Array {
  const tensor = elementAt(subgraph.tensors, index);
  const values = defined(constantFloats(model, tensor));
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw fail('QUANTIZE_RANGE', { tensor: tensorLabel(index, tensor), reason: `element ${bad} is ${values[bad]}` });
  return values;
}

/** The weights and bias of every output channel. */
function channelsOf(model: Model, subgraph: SubGraph, index: number, axis: number, biasIndex: number): Channel[] {
  const values = floats(model, subgraph, index);
  const bias = biasIndex < 0 ? null : floats(model, subgraph, biasIndex);
  const shape = Array.from(subgraph.tensors[index]?.shape ?? []);
  const count = elementAt(shape, axis);
  const inner = elementCount(shape.slice(axis + 1));
  const each = values.length / count;
  return Array.from({ length: count }, (_, c) => {
    const weights = new Float32Array(each);
    for (let i = 0; i < each; i += inner) {
      const start = i * count + c * inner;
      weights.set(values.subarray(start, start + inner), i);
    }
    return { weights, bias: bias?.[c] ?? 0 };
  });
}

/** Combines the warnings of many channels. */
function summarize(warnings: readonly Warning[]): Warning[] {
  if (warnings.length <= 3) return [...warnings];
  return [
    ...warnings.slice(0, 2),
    {
      code: 'SCALE_GROWN',
      message: `and ${warnings.length - 2} more channels like these (mostly channels with weights close to zero)`,
    },
  ];
}
