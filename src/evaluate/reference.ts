// The float model's outputs for some calibration samples: the reference for every quantized version that is tried.

import { defined, elementAt } from '../base/checked.js';
import { type Dataset, runsOf } from '../data/index.js';
import { linksOf, type Model, operatorName, type SubGraph, TensorType } from '../formats/tflite/index.js';
import { inputsAndOutputs, subgraphOfSignature } from '../simulator/index.js';
import { matchInputs, requireNumbers } from './convert.js';
import { logitDistances, type OutputActivation, outputActivationOf } from './logits.js';
import { Tracer } from './trace.js';

/** Number of folds: a choice made on some runs is judged on the others. */
export const foldCount = 4;

/** More samples add little information about an error but cost time. */
const maxRuns = 100;

interface Run {
  /** Real values by input, in the order of the model's inputs. */
  readonly inputs: readonly Float32Array[];
  /** Whether state continues from the previous run. */
  readonly continues: boolean;
  /** Real values by measured tensor. */
  readonly measured: readonly Float32Array[];
}

export interface SignatureReference {
  readonly subgraph: number;
  readonly signature: string | undefined;
  readonly runs: readonly Run[];
  readonly points: readonly Point[];
}

/** A tensor whose error is measured: an output, or the logits that it is computed from. */
interface Point {
  readonly output: number;
  /** null for the output itself. */
  readonly activation: OutputActivation | null;
}

/**
 * Signal-to-quantization-noise ratio: how close a model's outputs are to the float model's, in dB, averaged over the
 * outputs; Infinity if they are equal.
 */
export class Sqnr {
  constructor(
    readonly decibels: number,
    private readonly byFold: readonly number[],
  ) {}

  /** Whether this one is better by this many dB, and not only because of a few samples. */
  exceeds(other: Sqnr, gain: number): boolean {
    const worse = this.byFold.filter((ratio, fold) => ratio < elementAt(other.byFold, fold)).length;
    return this.decibels > other.decibels + gain && worse <= 1;
  }
}

export class Reference {
  private constructor(readonly signatures: readonly SignatureReference[]) {}

  /** Runs the float model on samples of each dataset. */
  static async of(model: Model, datasets: readonly Dataset[]): Promise<Reference> {
    const signatures: SignatureReference[] = [];
    for (const dataset of datasets) {
      const signature = dataset.signature ?? undefined;
      const subgraph = subgraphOfSignature(model, signature);
      const order = matchInputs(dataset, inputsAndOutputs(model, signature).inputs);
      const points = pointsOf(model, elementAt(model.subgraphs, subgraph));
      const tensors = tensorsAt(model, subgraph, points);
      const tracer = new Tracer(model, signature, new Set(tensors));
      const runs: Run[] = [];
      for await (const sample of dataset.samples(maxRuns)) {
        for (const { inputs: values, continues } of runsOf(sample, dataset)) {
          if (runs.length === maxRuns) break;
          requireNumbers(values, sample.index, dataset);
          const inputs = order.map((position) => elementAt(values, position));
          runs.push({ inputs, continues, measured: valuesOf(tracer, { inputs, continues }, tensors) });
        }
      }
      signatures.push({ subgraph, signature, runs, points });
    }
    return new Reference(signatures);
  }

  sqnr(model: Model): Sqnr {
    return this.crossValidated(() => model);
  }

  /** @param modelFor returns the model to measure on the runs of a fold; it was made without them */
  crossValidated(modelFor: (fold: number) => Model): Sqnr {
    const known = new Map<Model, Measured[]>();
    const points = this.signatures.flatMap((signature) => signature.points);
    const byFold = Array.from({ length: foldCount }, (_, fold) => {
      const model = modelFor(fold);
      const measured = known.get(model) ?? this.signatures.map((reference) => new Measured(model, reference));
      known.set(model, measured);
      return measured.flatMap((signature) => signature.errors(fold));
    });
    const meanRatio = (folds: readonly (readonly Errors[])[]): number => {
      const ratios = points.map((point, p) =>
        ratioOf(
          folds.map((errors) => elementAt(errors, p)),
          point,
        ),
      );
      return ratios.length === 0 ? Infinity : ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
    };
    return new Sqnr(
      meanRatio(byFold),
      byFold.map((errors) => meanRatio([errors])),
    );
  }
}

/** Measures one signature of a model. */
class Measured {
  private readonly tensors: number[];
  private readonly tracer: Tracer;

  constructor(
    model: Model,
    private readonly reference: SignatureReference,
  ) {
    this.tensors = tensorsAt(model, reference.subgraph, reference.points);
    this.tracer = new Tracer(model, reference.signature, new Set(this.tensors));
  }

  /** Errors by point, over the runs of a fold. */
  errors(fold: number): Errors[] {
    const { runs, points } = this.reference;
    const errors = points.map(() => ({ signal: 0, noise: 0 }));
    // Runs of this fold may continue from runs of other folds.
    const streams = runs.some(({ continues }) => continues);
    for (const [r, run] of runs.entries()) {
      const counts = r % foldCount === fold;
      if (!counts && !streams) continue;
      const values = valuesOf(this.tracer, run, this.tensors);
      if (!counts) continue;
      for (const [k, actual] of values.entries())
        addErrors(elementAt(errors, k), elementAt(run.measured, k), actual, points[k]?.activation ?? null);
    }
    return errors;
  }
}

/** Sums of squares at a point over some runs. */
interface Errors {
  signal: number;
  noise: number;
}

/** If the relevant logits are all equal, the outputs may still differ. */
const maxDecibelsOfLogits = 120;

function ratioOf(parts: readonly Errors[], { activation }: Point): number {
  const signal = parts.reduce((sum, errors) => sum + errors.signal, 0);
  const noise = parts.reduce((sum, errors) => sum + errors.noise, 0);
  const decibels = noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
  return activation === null ? decibels : Math.min(maxDecibelsOfLogits, decibels);
}

/**
 * Outputs of real numbers. For probabilities also the logits: most of the error in probabilities comes from a few
 * undecided samples.
 */
function pointsOf(model: Model, { outputs, tensors, operators }: SubGraph): Point[] {
  return Array.from(outputs ?? []).flatMap((tensor, output): Point[] => {
    if (tensors[tensor]?.type !== TensorType.FLOAT32) return [];
    const producer = operators.find((operator) => operator.outputs?.includes(tensor));
    const activation =
      producer === undefined ? null : outputActivationOf(model, producer, tensors[producer.inputs?.[0] ?? -1]);
    return [{ output, activation: null }, ...(activation === null ? [] : [{ output, activation }])];
  });
}

const conversions = new Set(['QUANTIZE', 'DEQUANTIZE']);

/** The tensors of the points, in the float model or in a model made from it. */
function tensorsAt(model: Model, at: number, points: readonly Point[]): number[] {
  const subgraph = elementAt(model.subgraphs, at);
  const { producer } = linksOf(subgraph);
  return points.map(({ output, activation }) => {
    let tensor = defined(subgraph.outputs?.[output]);
    if (activation === null) return tensor;
    for (let made = producer.get(tensor); made !== undefined; made = producer.get(tensor)) {
      tensor = defined(made.inputs?.[0]);
      if (!conversions.has(operatorName(model, made))) break;
    }
    return tensor;
  });
}

function valuesOf(
  tracer: Tracer,
  { inputs, continues }: Pick<Run, 'inputs' | 'continues'>,
  tensors: readonly number[],
): Float32Array[] {
  const values = tracer.run(inputs, continues);
  return tensors.map((tensor) => values.get(tensor) ?? new Float32Array(0));
}

function addErrors(
  errors: Errors,
  expected: Float32Array,
  actual: Float32Array,
  activation: OutputActivation | null,
): void {
  const [one, other] =
    activation === null
      ? [expected, actual]
      : [logitDistances(expected, activation), logitDistances(actual, activation)];
  for (let i = 0; i < one.length; i++) {
    const value = elementAt(one, i);
    errors.signal += value ** 2;
    errors.noise += (value - elementAt(other, i)) ** 2;
  }
}
