// Post-training quantization. In goes a float model and, for schemes with integer activations, calibration data in real values; out comes
// a model in the scheme whose written file has been read back and verified, with the plan that made it (plain data).

import type { Dataset } from '../dataset/index.js';
import { fail, reasonOf } from '../errors.js';
import { breather, type Nearness, type Progress, Reference, type Warning } from '../evaluate/index.js';
import { equalize, optimize } from '../optimize/index.js';
import { resolveShapes } from '../simulator/index.js';
import { type Model, mainSubgraph, writeModel } from '../tflite/index.js';
import { applyPlan } from './apply.js';
import { arrive } from './arrive.js';
import { type AutoRanges, autoRanges } from './auto-ranges.js';
import { type Calibration, type CalibrationOptions, calibrate, hashOf } from './calibrate.js';
import { ioOf, type PlanOptions, planQuantization, type QuantizationPlan, type Ranges, requireFloat } from './plan.js';
import { chooseRange, needsHistogram, type RangeMethod } from './ranges.js';
import { repairLayers } from './repair/layers.js';
import { type SchemeName, schemeOf, schemes } from './scheme.js';
import { verifyInt8, verifyScheme } from './verify.js';

export { type Calibration, type CalibrationOptions, calibrate } from './calibrate.js';
export { calibrationText, parseCalibration } from './calibration-file.js';

import { type MixedPrecision, mixPrecision, type WiderType } from './mixed-precision.js';
import type { ModeExceptions } from './modes.js';
import { type NumberType, tensorTypeOf } from './number-format.js';

export type { Range } from './parameters.js';
export { type PlanOptions, planQuantization, type QuantizationPlan } from './plan.js';
export { type RangeMethod, rangeMethods } from './ranges.js';
export { type Scheme, type SchemeName, schemeNames, schemeOf, schemes } from './scheme.js';
export type { Granularity } from './weights.js';
export type { MixedPrecision, NumberType, WiderType };
export { applyPlan, verifyInt8 };

/** Passes that bring the quantized model nearer to the float one. Each is kept only where the measured output error falls. */
export const repairNames = ['equalization', 'bias-correction', 'adaptive-rounding'] as const;
export type RepairName = (typeof repairNames)[number];

export type QuantizeStep = 'calibrate' | 'choose ranges' | 'mix precision' | RepairName;

export interface QuantizeOptions extends Omit<CalibrationOptions, 'onProgress' | 'histograms'>, PlanOptions {
  /** How a tensor's range follows from its values; min-max unless said otherwise, `auto` chooses by measured output error. */
  readonly ranges?: RangeMethod | 'auto';
  /** Keep histograms whether they are needed or not, for later runs. */
  readonly histograms?: boolean;
  readonly repairs?: readonly RepairName[];
  /** Signal to noise of the outputs in dB, on calibration data, that operators are widened for. */
  readonly minDecibels?: number;
  /** What operators get that int8 does not serve; int16 unless said otherwise. */
  readonly wider?: WiderType;
  /** Statistics of an earlier run on the same model; they take the place of calibration. */
  readonly calibration?: Calibration;
  readonly onProgress?: (progress: Progress, step: QuantizeStep) => void;
}

/** What a pass did; ratios of the outputs' signal to their noise against the float model, in dB. */
export interface RepairReport {
  readonly name: RepairName | 'choose ranges';
  readonly before: number;
  readonly after: number;
  /** False where it made things worse and was taken back. */
  readonly kept: boolean;
}

export interface QuantizeResult {
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly plan: QuantizationPlan;
  /** null for schemes that need no data. */
  readonly calibration: Calibration | null;
  /** Number of changes of each float graph pass that ran first. */
  readonly optimizations: Readonly<Record<string, number>>;
  /** null where ranges were not chosen by measurement. */
  readonly rangeMethods: AutoRanges['methods'] | null;
  readonly repairs: readonly RepairReport[];
  /** null where it was not asked for. */
  readonly mixed: MixedPrecision | null;
  readonly warnings: readonly Warning[];
}

/** What fails here is a fault of the quantizer, not of its input. */
function verified(bytes: Uint8Array, { scheme, io }: QuantizationPlan): Model {
  try {
    return verifyScheme(bytes, scheme, io);
  } catch (error) {
    throw fail('QUANTIZE_VERIFY', { reason: reasonOf(error) }, error);
  }
}

/**
 * Quantizes a model: to int8, inputs and outputs included, unless the options say otherwise. A file that is quantized already, or trained for
 * it, keeps the scales that it has.
 * @param datasets calibration data, one dataset for each signature or one in all; may be empty where the scheme or the file needs none
 * @throws CALIBRATION_EMPTY, QUANTIZE_*, DATASET_*, OPERATORS_UNSUPPORTED, USAGE
 */
export async function quantize(model: Model, datasets: readonly Dataset[], options: QuantizeOptions = {}): Promise<QuantizeResult> {
  const { scheme = 'int8' } = options;
  refuseSame(model, scheme, ioOf(scheme, options.io));
  refuseMixing(scheme, options);
  const arrival = arrive(model);
  // What the file says of computed shapes may be a guess.
  const { model: prepared, changes } = optimize(model.subgraphs.length === 1 ? resolveShapes(arrival.model) : arrival.model);
  requireFloat(prepared);
  const needsData = schemes[scheme].activations !== null && (datasets.length > 0 || options.calibration !== undefined || arrival.pinned === 0);
  const work = needsData ? await withData(prepared, datasets, options) : withoutData(prepared, options);
  const bytes = writeModel(applyPlan(work.model, work.plan));
  const warnings = [...(work.calibration?.warnings ?? []), ...work.plan.warnings];
  return { ...work, bytes, model: verified(bytes, work.plan), optimizations: changes, warnings };
}

type Work = Pick<QuantizeResult, 'model' | 'plan' | 'calibration' | 'rangeMethods' | 'repairs' | 'mixed'>;

/** @throws CALIBRATION_EMPTY where the file does not say the scale of every tensor that needs one */
function withoutData(model: Model, options: QuantizeOptions): Work {
  const plan = planQuantization(model, new Map(), options);
  const missing = plan.warnings.filter(({ code }) => code === 'RANGE_MISSING').length;
  if (missing > 0) throw fail('CALIBRATION_EMPTY', { reason: `none were given, and the file does not say the ranges of ${missing} tensor(s)` });
  return { model, plan, calibration: null, rangeMethods: null, repairs: [], mixed: null };
}

/** @throws USAGE where there is nothing to mix, or nothing to mix with */
function refuseMixing(scheme: SchemeName, { minDecibels, wider }: QuantizeOptions): void {
  if (minDecibels === undefined) return;
  const { activations, floatFallback } = schemes[scheme];
  if (activations !== 'int8') throw fail('USAGE', { reason: `scheme ${scheme} has no int8 operators to widen` });
  if (wider === 'float32' && !floatFallback) throw fail('USAGE', { reason: 'operators in float need --scheme int8-float-fallback' });
}

/** @throws QUANTIZE_NOT_FLOAT where there is nothing to do */
function refuseSame(model: Model, scheme: SchemeName, io: NumberType): void {
  const { inputs, outputs, tensors } = mainSubgraph(model);
  const edges = [...(inputs ?? []), ...(outputs ?? [])].map((index) => tensors[index]).filter((tensor) => tensor?.quantization?.scale != null);
  const same = schemeOf(model) === scheme && edges.every((tensor) => tensor?.type === tensorTypeOf(io));
  if (same && scheme !== 'float32') throw fail('QUANTIZE_NOT_FLOAT', { where: 'the model', reason: `it is ${scheme} with ${io} inputs and outputs already` });
}

async function withData(prepared: Model, datasets: readonly Dataset[], options: QuantizeOptions): Promise<Work> {
  const { ranges: method = 'min-max', repairs: wanted = [], calibration: known } = options;
  requireUsable(prepared, known, method);
  const calibrateModel = async (model: Model): Promise<Calibration> =>
    known?.model === hashOf(model)
      ? known
      : calibrate(model, datasets, {
          ...options,
          histograms: options.histograms === true || method === 'auto' || needsHistogram(method),
          onProgress: (progress) => options.onProgress?.(progress, 'calibrate'),
        });
  const planFor = (model: Model, calibration: Calibration): QuantizationPlan =>
    planQuantization(model, rangesOf(calibration, method === 'auto' ? 'min-max' : method), options);
  let model = prepared;
  let calibration = await calibrateModel(model);
  let plan = planFor(model, calibration);
  if (method !== 'auto' && wanted.length === 0 && options.minDecibels === undefined) {
    return { model, plan, calibration, rangeMethods: null, repairs: [], mixed: null };
  }

  if (datasets.length === 0) throw fail('CALIBRATION_EMPTY', { reason: 'none were given, and statistics alone do not tell the error of an output' });
  const reference = await Reference.of(prepared, datasets);
  const reports: RepairReport[] = [];
  const measure = (candidate: Model, itsPlan: QuantizationPlan): Nearness => reference.nearness(applyPlan(candidate, itsPlan));
  let best = measure(model, plan);
  const judge = (name: RepairReport['name'], candidate: Model, itsPlan: QuantizationPlan): boolean => {
    const after = measure(candidate, itsPlan);
    const kept = after.exceeds(best, 0);
    reports.push({ name, before: best.decibels, after: after.decibels, kept });
    if (kept) [model, plan, best] = [candidate, itsPlan, after];
    return kept;
  };
  const steps = (name: QuantizeStep): ((progress: Progress) => Promise<void>) => {
    const breathe = breather();
    return async (progress) => {
      options.onProgress?.(progress, name);
      await breathe(options.signal);
    };
  };

  if (wanted.includes('equalization')) {
    const equalized = equalize(model);
    if (equalized.changes > 0) {
      const itsCalibration = await calibrateModel(equalized.model);
      if (judge('equalization', equalized.model, planFor(equalized.model, itsCalibration))) calibration = itsCalibration;
    }
  }
  let ranges: ReadonlyMap<number, Ranges> = rangesOf(calibration, method === 'auto' ? 'min-max' : method);
  let methods: AutoRanges['methods'] | null = null;
  if (method === 'auto') {
    const auto = await autoRanges(model, calibration, reference, options, steps('choose ranges'));
    reports.push({ name: 'choose ranges', before: auto.before, after: auto.after, kept: auto.after > auto.before });
    ({ ranges, methods } = auto);
    plan = planQuantization(model, ranges, options);
    best = measure(model, plan);
  }
  const planOf = (candidate: Model): QuantizationPlan => planQuantization(candidate, ranges, options);
  for (const name of ['adaptive-rounding', 'bias-correction'] as const) {
    if (!wanted.includes(name)) continue;
    const repaired = await repairLayers(model, name, { reference, planOf, onStep: steps(name) });
    if (repaired.changes > 0) judge(name, repaired.model, planOf(repaired.model));
  }
  const { minDecibels, wider = 'int16' } = options;
  if (minDecibels === undefined) return { model, plan, calibration, rangeMethods: methods, repairs: reports, mixed: null };
  const finished = model;
  const mixedPlan = (exceptions: ModeExceptions): QuantizationPlan =>
    planQuantization(finished, ranges, { ...options, exceptions: new Map([...(options.exceptions ?? []), ...exceptions]) });
  const mixed = await mixPrecision(model, reference, { minDecibels, wider, planOf: mixedPlan, onStep: steps('mix precision') });
  plan = mixedPlan(new Map(mixed.operators.map(({ operator }) => [operator, wider])));
  return { model, plan, calibration, rangeMethods: methods, repairs: reports, mixed };
}

/** @throws CALIBRATION_MISMATCH where earlier statistics are another model's, or lack histograms */
function requireUsable(model: Model, known: Calibration | undefined, method: RangeMethod | 'auto'): void {
  if (known === undefined) return;
  if (known.model !== hashOf(model)) throw fail('CALIBRATION_MISMATCH', { reason: 'they are of another model, or of another version of this one' });
  const without = known.subgraphs.some(({ tensors }) => tensors.some((tensor) => tensor?.histogram === null));
  if (without && (method === 'auto' || needsHistogram(method))) {
    throw fail('CALIBRATION_MISMATCH', { reason: `--ranges ${method} needs histograms, which they were made without` });
  }
}

function rangesOf(calibration: Calibration, method: RangeMethod): Map<number, Ranges> {
  const entries = calibration.subgraphs.map(({ subgraph, tensors }): [number, Ranges] => [
    subgraph,
    tensors.map((statistics) => (statistics === null ? null : chooseRange(statistics, method))),
  ]);
  return new Map(entries);
}
