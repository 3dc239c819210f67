// Compares two versions of a model tensor by tensor: how far the values of the second are from those of the first.
// Tensors are matched by name.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { yieldToEventLoop } from '../base/event-loop.js';
import type { OnProgress } from '../base/progress.js';
import { type Dataset, runsOf } from '../data/index.js';
import {
  elementCount,
  linksOf,
  type Model,
  operatorName,
  type SubGraph,
  TensorType,
  typeName,
} from '../formats/tflite/index.js';
import { inputsAndOutputs, subgraphOfSignature } from '../simulator/index.js';
import { integerLimits, matchInputs } from './convert.js';
import { type ComparedTensor, type Diagnosis, diagnose } from './diagnosis.js';
import { type OutputActivation, outputActivationsOf, relevantLogits } from './logits.js';
import { argMax } from './metrics.js';
import { Tracer } from './trace.js';

/** How many samples are compared, a progress callback, and a signal to stop. */
export interface CompareOptions {
  /** Maximum number of samples, drawn with the dataset's seed. */
  readonly limit?: number;
  readonly onProgress?: OnProgress<'compare'>;
  readonly signal?: AbortSignal;
}

/** The figures of one tensor in both models. */
export interface TensorComparison extends ComparedTensor {
  readonly name: string;
  /** The operator that computes the tensor in the second model, and its index; null for inputs. */
  readonly op: string | null;
  readonly operator: number | null;
  /** Quantization in the second model; null if the tensor is float there. */
  readonly scale: number | null;
  readonly zeroPoint: number | null;
  /** Value range in the first model. */
  readonly min: number;
  readonly max: number;
  /** Root mean square of the errors, in real values. */
  readonly rmse: number;
  /** RMSE divided by the scale. Rounding alone gives 1 / sqrt(12) = 0.289 (uniform error over one step; B. Widrow). */
  readonly rmsePerScale: number | null;
  /** SNR in dB; null if the first model computes only zeros, or both compute the same. */
  readonly signalToNoise: number | null;
  /** Cosine of the angle between both values; null if one is all 0. */
  readonly cosine: number | null;
  /** Share of values outside the range of the second model's format. */
  readonly saturation: number;
}

/** The figures of every tensor, and of the outputs together. */
export interface Comparison {
  /** Name of the dataset. */
  readonly dataset: string;
  readonly samples: number;
  /** In the order of the second model. */
  readonly tensors: readonly TensorComparison[];
  /** The tensors that add the most noise, up to five, the worst first. */
  readonly worst: readonly (Pick<TensorComparison, 'name' | 'op' | 'operator'> & { readonly diagnosis: Diagnosis })[];
  /** For the first output of real numbers: share of runs with the same largest element; null if there is none. */
  readonly agreement: number | null;
  /** SNR of all outputs together, in dB; null if they are equal. */
  readonly signalToNoise: number | null;
}

/**
 * Runs two models on the same samples and compares every tensor that both have.
 * @throws DATASET_MISMATCH, COMPARE_NOTHING if no tensors have the same name
 */
export async function compare(
  first: Model,
  second: Model,
  dataset: Dataset,
  options: CompareOptions = {},
): Promise<Comparison> {
  const signature = dataset.signature ?? undefined;
  const edges = inputsAndOutputs(first, signature);
  requireAlike(edges, inputsAndOutputs(second, signature));
  const pairs = pairsOf(first, second, signature);
  const order = matchInputs(dataset, edges.inputs);
  const [a, b] = [
    new Tracer(first, signature, new Set(pairs.map((pair) => pair.first))),
    new Tracer(second, signature, new Set(pairs.map((pair) => pair.second))),
  ];
  const sums = pairs.map((pair) => new Sums(pair));
  const output = pairs.find(({ isOutput }) => isOutput);
  const wanted = Math.min(dataset.count, options.limit ?? dataset.count);
  let [samples, runs, agreed] = [0, 0, 0];
  for await (const sample of dataset.samples(options.limit)) {
    for (const { inputs: values, continues } of runsOf(sample, dataset)) {
      await yieldToEventLoop(options.signal);
      const inputs = order.map((position) => elementAt(values, position));
      const [expected, actual] = [a.run(inputs, continues), b.run(inputs, continues)];
      pairs.forEach((pair, i) => {
        const [one, other] = [expected.get(pair.first), actual.get(pair.second)];
        if (one !== undefined && other !== undefined) sums[i]?.add(one, other);
      });
      const [one, other] = [expected.get(output?.first ?? -1), actual.get(output?.second ?? -1)];
      if (one !== undefined && other !== undefined && argMax(one) === argMax(other)) agreed += 1;
      runs += 1;
    }
    samples += 1;
    options.onProgress?.({ step: 'compare', done: samples, total: wanted });
  }
  // A tensor that depends on constants alone is folded; no run computes it.
  const ran = pairs.map((pair, i) => ({ pair, sum: elementAt(sums, i) })).filter(({ sum }) => sum.count > 0);
  const tensors = ran.map(({ sum }) => sum.comparison);
  const outputs = sums.filter((_, i) => pairs[i]?.isOutput);
  const total = (figure: 'signal' | 'noise'): number => outputs.reduce((sum, powers) => sum + powers[figure], 0);
  return {
    dataset: dataset.name,
    samples,
    tensors,
    worst: worstOf(
      tensors,
      ran.map(({ pair }) => pair),
      second,
    ),
    agreement: output === undefined ? null : agreed / runs,
    signalToNoise: decibels(total('signal'), total('noise')),
  };
}

type Edges = ReturnType<typeof inputsAndOutputs>;

/** Both models must have the same inputs and outputs, apart from their types. */
function requireAlike(first: Edges, second: Edges): void {
  for (const side of ['inputs', 'outputs'] as const) {
    const [one, other] = [first[side], second[side]].map((tensors) =>
      tensors.map(({ shape }) => `[${shape.join(', ')}]`).join(' and '),
    ) as [string, string];
    if (one !== other)
      throw fail('COMPARE_NOTHING', { reason: `the ${side} of the first are ${one}, those of the second ${other}` });
  }
}

interface Pair {
  readonly name: string;
  readonly first: number;
  readonly second: number;
  readonly op: string | null;
  readonly operator: number | null;
  readonly scale: number | null;
  readonly zeroPoint: number | null;
  /** Limits of the stored integers. */
  readonly limits: readonly [number, number] | null;
  /** Names of the tensors that its operator reads. */
  readonly reads: readonly string[];
  readonly isOutput: boolean;
  /** The operator that turns these values into probabilities: values too far away to change the result do not count. */
  readonly activation: OutputActivation | null;
}

function pairsOf(first: Model, second: Model, signature: string | undefined): Pair[] {
  const [before, after] = [first, second].map((model) =>
    elementAt(model.subgraphs, subgraphOfSignature(model, signature)),
  ) as [SubGraph, SubGraph];
  const named = new Map(before.tensors.map((tensor, index) => [tensor.name ?? '', { tensor, index }]));
  const computed = new Set([
    ...(before.inputs ?? []),
    ...before.operators.flatMap(({ outputs }) => Array.from(outputs ?? [])),
  ]);
  const activations = outputActivationsOf(first, before);
  const { producer } = linksOf(after);
  const inputs = Array.from(after.inputs ?? []);
  const order = [...inputs, ...after.operators.flatMap(({ outputs }) => Array.from(outputs ?? []))];
  const pairs = order.flatMap((index): Pair[] => {
    const tensor = after.tensors[index];
    const position = Array.from(after.outputs ?? []).indexOf(index);
    // Outputs are matched by position, whatever converts them at the end.
    const match = position >= 0 ? tensorAt(before, before.outputs?.[position] ?? -1) : named.get(tensor?.name ?? '');
    if (
      tensor === undefined ||
      match === undefined ||
      elementCount(tensor.shape ?? []) !== elementCount(match.tensor.shape ?? []) ||
      match.tensor.type !== TensorType.FLOAT32 ||
      !computed.has(match.index)
    )
      return [];
    const operator = producer.get(index);
    const scale = tensor.quantization?.scale?.[0] ?? null;
    return [
      {
        name: tensor.name ?? '',
        first: match.index,
        second: index,
        op: operator === undefined ? null : operatorName(second, operator),
        operator: operator === undefined ? null : after.operators.indexOf(operator),
        scale,
        zeroPoint: scale === null ? null : Number(tensor.quantization?.zeroPoint?.[0] ?? 0n),
        limits: scale === null ? null : integerLimits(typeName(tensor.type)),
        reads: Array.from(operator?.inputs ?? []).flatMap((input) => after.tensors[input]?.name ?? []),
        isOutput: position >= 0,
        activation: activations.get(match.index) ?? null,
      },
    ];
  });
  if (!pairs.some(({ operator }) => operator !== null)) {
    throw fail('COMPARE_NOTHING', {
      reason: 'no computed tensors have the same name in both models',
    });
  }
  return pairs;
}

function tensorAt(
  subgraph: SubGraph,
  index: number,
): { tensor: SubGraph['tensors'][number]; index: number } | undefined {
  const tensor = subgraph.tensors[index];
  return tensor === undefined ? undefined : { tensor, index };
}

class Sums {
  signal = 0;
  noise = 0;
  count = 0;
  private squares = 0;
  private products = 0;
  private min = Infinity;
  private max = -Infinity;
  private outside = 0;

  constructor(private readonly pair: Pair) {}

  add(one: Float32Array, other: Float32Array): void {
    const { scale, zeroPoint, limits, activation } = this.pair;
    const [first, second] =
      activation === null ? [one, other] : [relevantLogits(one, activation), relevantLogits(other, activation)];
    // Values up to half a step beyond the limit still round to it.
    const low = limits === null || scale === null ? -Infinity : (limits[0] - 0.5 - (zeroPoint ?? 0)) * scale;
    const high = limits === null || scale === null ? Infinity : (limits[1] + 0.5 - (zeroPoint ?? 0)) * scale;
    for (let i = 0; i < first.length; i++) {
      const [a, b] = [elementAt(first, i), elementAt(second, i)];
      const error = a - b;
      this.signal += a * a;
      this.noise += error * error;
      this.squares += b * b;
      this.products += a * b;
      if (a < this.min) this.min = a;
      if (a > this.max) this.max = a;
      if (a < low || a > high) this.outside += 1;
    }
    this.count += first.length;
  }

  get comparison(): TensorComparison {
    const { name, op, operator, scale, zeroPoint } = this.pair;
    const rmse = Math.sqrt(this.noise / this.count);
    const lengths = Math.sqrt(this.signal * this.squares);
    return {
      name,
      op,
      operator,
      scale,
      zeroPoint,
      min: this.min,
      max: this.max,
      rmse,
      rmsePerScale: scale === null ? null : rmse / scale,
      signalToNoise: decibels(this.signal, this.noise),
      cosine: lengths === 0 ? null : this.products / lengths,
      saturation: this.outside / this.count,
    };
  }
}

function decibels(signal: number, noise: number): number | null {
  return signal === 0 || noise === 0 ? null : 10 * Math.log10(signal / noise);
}

const shownWorst = 5;

/** The tensors that add the most noise relative to their inputs. */
function worstOf(tensors: readonly TensorComparison[], pairs: readonly Pair[], second: Model): Comparison['worst'] {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const noiseOf = ({ signalToNoise }: TensorComparison): number =>
    signalToNoise === null ? 0 : 10 ** (-signalToNoise / 10);
  return tensors
    .map((tensor, i) => {
      const inputs = (pairs[i]?.reads ?? []).flatMap((name) => byName.get(name) ?? []);
      return { tensor, inputs, added: noiseOf(tensor) - Math.max(0, ...inputs.map(noiseOf)) };
    })
    .filter(({ added }) => added > 0)
    .sort((a, b) => b.added - a.added)
    .slice(0, shownWorst)
    .map(({ tensor, inputs }) => ({
      name: tensor.name,
      op: tensor.op,
      operator: tensor.operator,
      diagnosis: diagnose(tensor, inputs, second),
    }));
}
