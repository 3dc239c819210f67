// Repairs the layers of a float model for a plan: weights become multiples of their scales such that the sums are
// close, and biases absorb the remaining mean error. The result is a float model with the same plan.

import { elementAt } from '../../../base/checked.js';
import type { Amount } from '../../../base/progress.js';
import { type Reference, type SignatureReference, type Sqnr, Tracer } from '../../../evaluate/index.js';
import { constantFloats, copyModel, type Model, type SubGraph, setWeights } from '../../../formats/tflite/index.js';
import { type Layer, layersOf } from '../../../simulator/index.js';
import type { Changed } from '../../passes/index.js';
import { applyPlan } from '../apply.js';
import { symmetricScale } from '../parameters.js';
import type { QuantizationPlan } from '../plan.js';
import type { WeightsPlan } from '../weights.js';
import { LayerStatistics, type RowStatistics } from './layer-statistics.js';
import { roundForSums } from './rounding.js';

export type LayerRepair = 'adaptive-rounding' | 'bias-correction';

export interface RepairContext {
  readonly reference: Reference;
  readonly planOf: (model: Model) => QuantizationPlan;
  /** Awaited after every run. */
  readonly onStep: (amount: Amount) => Promise<void>;
}

/**
 * Repairs one layer after another, so that a layer compensates the remaining errors of those before it. A layer is left
 * unchanged if its repair does not improve the outputs. Counts layers.
 */
export async function repairLayers(
  model: Model,
  repair: LayerRepair,
  { reference, planOf, onStep }: RepairContext,
): Promise<Changed> {
  const signatures = reference.signatures.map((signature) => ({
    ...signature,
    layers: layersOf(model, signature.subgraph),
  }));
  const total = signatures.reduce((sum, { runs, layers }) => sum + runs.length * layers.length, 0);
  let done = 0;
  const step = (): Promise<void> => onStep({ done: ++done, total });
  const attempt = (candidate: Model): Attempt => {
    const plan = planOf(candidate);
    const quantized = applyPlan(candidate, plan);
    return { model: candidate, plan, quantized, sqnr: reference.sqnr(quantized) };
  };
  let best = attempt(model);
  let changes = 0;
  for (const { layers, ...signature } of signatures) {
    for (const layer of layers) {
      const planned = plannedLayer(best, signature.subgraph, layer);
      if (planned === null) continue;
      const statistics = await collect(model, best.quantized, signature, planned, repair, step);
      const changed = copyModel(best.model);
      changeLayer(changed, elementAt(changed.subgraphs, signature.subgraph), planned, statistics, repair);
      const candidate = attempt(changed);
      if (!candidate.sqnr.exceeds(best.sqnr, 0)) continue;
      best = candidate;
      changes += 1;
    }
  }
  return { model: best.model, changes };
}

/** A float model, its quantization, and the resulting SNR. */
interface Attempt {
  readonly model: Model;
  readonly plan: QuantizationPlan;
  readonly quantized: Model;
  readonly sqnr: Sqnr;
}

interface PlannedLayer {
  readonly layer: Layer;
  readonly weights: WeightsPlan;
  /** The tensor that the layer reads in the quantized model. */
  readonly quantizedInput: number;
}

/** A layer whose weights the plan quantizes, matched by the name of its output; null for others. */
function plannedLayer({ model, quantized, plan }: Attempt, subgraph: number, layer: Layer): PlannedLayer | null {
  const part = plan.subgraphs.find((entry) => entry.subgraph === subgraph);
  const weights = part?.weights.find(({ operator }) => operator === layer.operator);
  const [before, after] = [model, quantized].map(({ subgraphs }) => elementAt(subgraphs, subgraph)) as [
    SubGraph,
    SubGraph,
  ];
  const name = before.tensors[layer.output]?.name;
  const same = after.operators.find(({ outputs }) => after.tensors[outputs?.[0] ?? -1]?.name === name);
  const quantizedInput = same?.inputs?.[0];
  const mode = part?.operators[layer.operator]?.mode;
  if (weights === undefined || name == null || quantizedInput === undefined || mode === 'dynamic-range') return null;
  return { layer, weights, quantizedInput };
}

async function collect(
  float: Model,
  quantized: Model,
  { signature, runs }: SignatureReference,
  { layer, quantizedInput }: PlannedLayer,
  repair: LayerRepair,
  step: () => Promise<void>,
): Promise<LayerStatistics> {
  const statistics = new LayerStatistics(layer, runs.length, repair === 'adaptive-rounding');
  // Only a bias can compensate errors of earlier layers.
  const before = repair === 'bias-correction' ? new Tracer(float, signature, new Set([layer.input])) : null;
  const after = new Tracer(quantized, signature, new Set([quantizedInput]));
  for (const { inputs, continues } of runs) {
    const actual = after.run(inputs, continues).get(quantizedInput);
    const expected = before === null ? actual : before.run(inputs, continues).get(layer.input);
    if (actual !== undefined && expected !== undefined) statistics.add(expected, actual);
    await step();
  }
  return statistics;
}

function changeLayer(
  model: Model,
  subgraph: SubGraph,
  { layer, weights: plan }: PlannedLayer,
  statistics: LayerStatistics,
  repair: LayerRepair,
): void {
  const { channels, groups, depth, weightAt, operator: o } = layer;
  const operator = subgraph.operators[o];
  const [, , biasIndex = -1] = operator?.inputs ?? [];
  const weights = constantFloats(model, elementAt(subgraph.tensors, layer.weights));
  const bias =
    biasIndex < 0 ? new Float32Array(channels) : constantFloats(model, elementAt(subgraph.tensors, biasIndex));
  if (operator === undefined || weights === null || bias === null) return;
  for (let g = 0; g < groups; g++) {
    const rows = statistics.ofGroup(g);
    for (let c = (g * channels) / groups; c < ((g + 1) * channels) / groups; c++) {
      const scale = elementAt(plan.scales, plan.scales.length === 1 ? 0 : c);
      const own = Float64Array.from({ length: depth }, (_, i) => elementAt(weights, weightAt(c, i)));
      // A scale that was enlarged for the bias depends on more than the weights.
      if (plan.scales.length > 1 && scale !== symmetricScale([{ weights: Float32Array.from(own), bias: 0 }])) continue;
      const rounded =
        repair === 'adaptive-rounding' && rows.covariances !== null ? roundForSums(own, scale, rows.covariances) : own;
      bias[c] = elementAt(bias, c) + meanError(own, rounded, scale, rows);
      for (let i = 0; i < depth; i++) weights[weightAt(c, i)] = elementAt(rounded, i);
    }
  }
  setWeights(model, subgraph, operator, weights, bias);
}

/** Mean difference between the sums of the float model and those of the quantized one. */
function meanError(
  weights: Float64Array,
  rounded: Float64Array,
  scale: number,
  { floatMean, quantizedMean }: RowStatistics,
): number {
  let error = 0;
  for (let i = 0; i < weights.length; i++) {
    const stored = Math.round(elementAt(rounded, i) / scale) * scale;
    error += elementAt(weights, i) * elementAt(floatMean, i) - stored * elementAt(quantizedMean, i);
  }
  return error;
}
