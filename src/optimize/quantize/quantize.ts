// The main path of quantization: the model is converted to float, calibrated, planned, improved if requested, applied,
// written and verified.

import { fail, reasonOf } from '../../base/errors.js';
import type { OnProgress } from '../../base/progress.js';
import type { Warning } from '../../base/warnings.js';
import type { Dataset } from '../../data/index.js';
import { Reference, type RunnerState, stateWarnings } from '../../evaluate/index.js';
import { type Model, mainSubgraph, writeModel } from '../../formats/tflite/index.js';
import {
  Interpreter,
  isStateful,
  type RuntimeKernels,
  refuseCompiled,
  refuseUnsupported,
  resolveShapes,
} from '../../simulator/index.js';
import { type MemoryPlan, optimize, planMemory } from '../passes/index.js';
import { applyPlan } from './apply.js';
import { type Calibration, type CalibrationOptions, calibrate, hashOf } from './calibrate.js';
import { dequantize } from './dequantize.js';
import type { Ranges } from './formats.js';
import {
  type Draft,
  type Improved,
  Improver,
  type QuantizeStep,
  type RepairName,
  type RepairReport,
} from './improve.js';
import type { WiderType } from './mixed-precision.js';
import { type NumberType, tensorTypeOf } from './number-format.js';
import { ioOf, type PlanOptions, planQuantization, type QuantizationPlan, requireFloat } from './plan.js';
import { chooseRange, needsHistogram, type RangeMethod } from './ranges.js';
import { coarseTensors, edgeWarnings } from './resolution.js';
import { type SchemeName, schemeOf, schemes } from './scheme.js';
import { encodeSparseWeights } from './sparse.js';
import { verifyLimits, verifyScheme } from './verify.js';

/** Scheme, algorithms and data; every option has a default. */
export interface QuantizeOptions extends Omit<CalibrationOptions, 'onProgress' | 'histograms'>, PlanOptions {
  /** How a tensor's range is derived from its values; min-max by default, `auto` chooses by measured output error. */
  readonly ranges?: RangeMethod | 'auto';
  /** Collect histograms even if they are not needed, for later runs. */
  readonly histograms?: boolean;
  readonly repairs?: readonly RepairName[];
  /** Widen operators until the outputs reach this SNR in dB, on calibration data. */
  readonly minDecibels?: number;
  /** The type of operators that int8 does not serve; int16 by default. */
  readonly wider?: WiderType;
  /** Write weights with many zeros in TFLite's sparse encoding; the runtime must support DENSIFY. */
  readonly sparse?: boolean;
  /** Order operators and place tensors for the smallest arena with these kernels, and store the plan in the file. */
  readonly planMemoryFor?: RuntimeKernels;
  /** Statistics of an earlier run on the same model, instead of calibrating. */
  readonly calibration?: Calibration;
  readonly onProgress?: OnProgress<QuantizeStep>;
}

/** The quantized model with its file, its plan, and what was done to get there. */
export interface QuantizeResult extends Pick<Improved, 'rangeMethods' | 'repairs' | 'mixed'> {
  /** The written file. */
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly plan: QuantizationPlan;
  /** null for schemes that need no data. */
  readonly calibration: Calibration | null;
  /** Number of changes of each graph pass that ran first. */
  readonly optimizations: Readonly<Record<string, number>>;
  /** Weights in the sparse encoding. */
  readonly sparseTensors: number;
  /** null if none was requested. */
  readonly memoryPlan: MemoryPlan | null;
  readonly warnings: readonly Warning[];
}

/** A failure here is an error of the quantizer, not of its input. */
function verified(bytes: Uint8Array, { scheme, io }: QuantizationPlan): Model {
  try {
    return verifyScheme(bytes, scheme, io);
  } catch (error) {
    throw fail('QUANTIZE_VERIFY', { reason: reasonOf(error) }, error);
  }
}

/**
 * Quantizes a model: to int8, including inputs and outputs, unless the options say otherwise. A model that is already
 * quantized, or trained for it, keeps its scales.
 * @param datasets calibration data, one dataset for each signature or one in total; may be empty if the scheme or the
 * file needs none
 * @throws CALIBRATION_EMPTY, MODEL_COMPILED, QUANTIZE_*, DATASET_*, OPERATORS_UNSUPPORTED, USAGE
 */
export async function quantize(
  model: Model,
  datasets: readonly Dataset[],
  options: QuantizeOptions = {},
): Promise<QuantizeResult> {
  const { scheme = 'int8' } = options;
  refuseCompiled(model);
  refuseSame(model, scheme, ioOf(scheme, options.io));
  refuseMixing(scheme, options);
  const arrival = dequantize(model);
  // A model that the simulator cannot run cannot be verified either.
  refuseUnsupported(arrival.model);
  // Shapes of computed tensors in the file may be wrong.
  const { model: prepared, changes } = optimize(
    model.subgraphs.length === 1 ? resolveShapes(arrival.model) : arrival.model,
  );
  requireFloat(prepared);
  const needsData =
    schemes[scheme].activations !== null &&
    (datasets.length > 0 || options.calibration !== undefined || arrival.pinned === 0);
  // Calibration runs the model anyway.
  if (!needsData) requireRunnable(prepared);
  const work = needsData ? await withData(prepared, datasets, options) : withoutData(prepared, options);
  const applied = applyPlan(work.model, work.plan);
  const sparse = options.sparse === true ? encodeSparseWeights(applied) : null;
  const memoryPlan =
    options.planMemoryFor === undefined ? null : planMemory(sparse?.model ?? applied, options.planMemoryFor);
  const bytes = writeModel(memoryPlan?.model ?? sparse?.model ?? applied);
  const written = verified(bytes, work.plan);
  const warnings = [
    ...(work.calibration?.warnings ?? []),
    ...datasets.flatMap((dataset) => stateWarnings(stateOf(prepared), dataset)),
    ...work.plan.warnings,
    ...removalRisk(work.repairs),
    ...verifyLimits(written, scheme),
    ...(work.calibration === null ? [] : coarseTensors(work.model, work.plan, work.calibration)),
    ...(needsData ? await edgeWarnings(prepared, written, datasets) : []),
  ];
  return {
    ...work,
    bytes,
    model: written,
    optimizations: changes,
    sparseTensors: sparse?.changes ?? 0,
    memoryPlan,
    warnings,
  };
}

function removalRisk(repairs: readonly RepairReport[]): Warning[] {
  const removed = repairs.find(({ name, kept }) => name === 'dead-channels' && kept)?.changes;
  if (removed === undefined) return [];
  const message =
    `${removed} channel(s) were removed because they were 0 for every calibration sample. Other inputs may ` +
    'need them: ' +
    'an anomaly detector that was calibrated on normal data loses what it detects anomalies by. Evaluate on such ' +
    'inputs, or quantize without removing dead channels';
  return [{ code: 'CHANNELS_REMOVED', message }];
}

const stateOf = (model: Model): RunnerState => (isStateful(model) ? 'continues' : 'none');

/**
 * Reports errors of the model itself before anything is made of it.
 * @throws OPERATOR_INVALID, TFLITE_INVALID and the like
 */
function requireRunnable(model: Model): void {
  new Interpreter(model, { kernels: 'plain' });
}

type Work = Pick<QuantizeResult, 'model' | 'plan' | 'calibration' | 'rangeMethods' | 'repairs' | 'mixed'>;

/** @throws CALIBRATION_EMPTY if the file lacks the scale of a tensor that needs one */
function withoutData(model: Model, options: QuantizeOptions): Work {
  const plan = planQuantization(model, new Map(), options);
  const missing = plan.warnings.filter(({ code }) => code === 'RANGE_MISSING').length;
  if (missing > 0)
    throw fail('CALIBRATION_EMPTY', {
      reason: `none were given, and the file does not contain the ranges of ${missing} tensor(s)`,
    });
  return { model, plan, calibration: null, rangeMethods: null, repairs: [], mixed: null };
}

/** @throws USAGE if there is nothing to mix, or no type to mix with */
function refuseMixing(scheme: SchemeName, { minDecibels, wider }: QuantizeOptions): void {
  if (minDecibels === undefined) return;
  const { activations, floatFallback } = schemes[scheme];
  if (activations !== 'int8') throw fail('USAGE', { reason: `scheme ${scheme} has no int8 operators to widen` });
  if (wider === 'float32' && !floatFallback)
    throw fail('USAGE', { reason: 'operators in float need the scheme int8-float-fallback' });
}

/** @throws QUANTIZE_NOT_FLOAT if there is nothing to do */
function refuseSame(model: Model, scheme: SchemeName, io: NumberType): void {
  const { inputs, outputs, tensors } = mainSubgraph(model);
  const edges = [...(inputs ?? []), ...(outputs ?? [])]
    .map((index) => tensors[index])
    .filter((tensor) => tensor?.quantization?.scale != null);
  const same = schemeOf(model) === scheme && edges.every((tensor) => tensor?.type === tensorTypeOf(io));
  if (same && scheme !== 'float32')
    throw fail('QUANTIZE_NOT_FLOAT', {
      where: 'the model',
      reason: `it is ${scheme} with ${io} inputs and outputs already`,
    });
}

async function withData(prepared: Model, datasets: readonly Dataset[], options: QuantizeOptions): Promise<Work> {
  const { ranges: method = 'min-max', repairs = [], calibration: known, minDecibels } = options;
  requireUsable(prepared, known, method);
  const draftOf = async (model: Model, statistics?: Calibration): Promise<Draft> => {
    const calibration =
      statistics ??
      (await calibrate(model, datasets, {
        ...options,
        histograms: options.histograms === true || method === 'auto' || needsHistogram(method),
      }));
    const ranges = rangesOf(calibration, method === 'auto' ? 'min-max' : method);
    return { model, calibration, ranges, plan: planQuantization(model, ranges, options) };
  };
  const draft = await draftOf(prepared, known);
  if (method !== 'auto' && repairs.length === 0 && minDecibels === undefined)
    return { ...draft, rangeMethods: null, repairs: [], mixed: null };

  if (datasets.length === 0)
    throw fail('CALIBRATION_EMPTY', {
      reason: 'none were given, but statistics alone do not give the error of an output',
    });
  const improver = new Improver(draft, await Reference.of(prepared, datasets), options);
  if (repairs.includes('dead-channels')) await improver.removeDeadChannels(draftOf);
  if (repairs.includes('equalization')) await improver.equalize(draftOf);
  if (method === 'auto') await improver.chooseRanges();
  if (repairs.includes('adaptive-rounding')) await improver.repairLayers('adaptive-rounding');
  if (repairs.includes('bias-correction')) await improver.repairLayers('bias-correction');
  if (minDecibels !== undefined) await improver.mixPrecision(minDecibels, options.wider ?? 'int16');
  return improver.result;
}

/** @throws CALIBRATION_MISMATCH if earlier statistics belong to another model, or lack histograms */
function requireUsable(model: Model, known: Calibration | undefined, method: RangeMethod | 'auto'): void {
  if (known === undefined) return;
  if (known.model !== hashOf(model))
    throw fail('CALIBRATION_MISMATCH', { reason: 'they are of another model, or of another version of this one' });
  const fits = ({ subgraph, tensors, folds }: Calibration['subgraphs'][number]): boolean =>
    [tensors, ...folds].every((list) => list.length === model.subgraphs[subgraph]?.tensors.length);
  const subgraphs = new Set(known.subgraphs.map(({ subgraph }) => subgraph));
  if (!known.subgraphs.every(fits) || subgraphs.size !== known.subgraphs.length || subgraphs.size === 0) {
    throw fail('CALIBRATION_MISMATCH', { reason: 'they do not have one entry for each tensor of the model' });
  }
  const without = known.subgraphs.some(({ tensors }) => tensors.some((tensor) => tensor?.histogram === null));
  if (without && (method === 'auto' || needsHistogram(method))) {
    throw fail('CALIBRATION_MISMATCH', {
      reason: `the range method ${method} needs histograms, which they do not contain`,
    });
  }
}

function rangesOf(calibration: Calibration, method: RangeMethod): Map<number, Ranges> {
  const entries = calibration.subgraphs.map(({ subgraph, tensors }): [number, Ranges] => [
    subgraph,
    tensors.map((statistics) => (statistics === null ? null : chooseRange(statistics, method))),
  ]);
  return new Map(entries);
}
