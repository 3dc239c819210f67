// Post-training quantization. In goes a float model and, for schemes with integer activations, calibration data in real values; out comes
// a model in the scheme whose written file has been read back and verified, with the plan that made it (plain data).

import type { Dataset } from '../dataset/index.js';
import { fail, reasonOf } from '../errors.js';
import type { Warning } from '../evaluate/index.js';
import { optimize } from '../optimize/index.js';
import { resolveShapes } from '../simulator/index.js';
import { type Model, writeModel } from '../tflite/index.js';
import { applyPlan } from './apply.js';
import { type Calibration, type CalibrationOptions, calibrate } from './calibrate.js';
import { ioOf, type PlanOptions, planQuantization, type QuantizationPlan, type Ranges, requireFloat } from './plan.js';
import { chooseRange, needsHistogram, type RangeMethod } from './ranges.js';
import { schemes } from './scheme.js';
import { verifyInt8, verifyScheme } from './verify.js';

export { type Calibration, type CalibrationOptions, calibrate } from './calibrate.js';
export type { NumberType } from './number-format.js';
export type { Range } from './parameters.js';
export { type PlanOptions, planQuantization, type QuantizationPlan } from './plan.js';
export { type RangeMethod, rangeMethods } from './ranges.js';
export { type Scheme, type SchemeName, schemeNames, schemeOf, schemes } from './scheme.js';
export type { Granularity } from './weights.js';
export { applyPlan, verifyInt8 };

export interface QuantizeOptions extends Omit<CalibrationOptions, 'histograms'>, PlanOptions {
  /** How a tensor's range follows from its values; min-max unless said otherwise. */
  readonly ranges?: RangeMethod;
}

export interface QuantizeResult {
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly plan: QuantizationPlan;
  /** null for schemes that need no data. */
  readonly calibration: Calibration | null;
  /** Number of changes of each float graph pass that ran first. */
  readonly optimizations: Readonly<Record<string, number>>;
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
 * Quantizes a float model: to int8, inputs and outputs included, unless the options say otherwise.
 * @param datasets calibration data, one dataset for each signature or one in all; may be empty where the scheme needs none
 * @throws CALIBRATION_EMPTY, QUANTIZE_*, DATASET_*, OPERATORS_UNSUPPORTED, USAGE
 */
export async function quantize(model: Model, datasets: readonly Dataset[], options: QuantizeOptions = {}): Promise<QuantizeResult> {
  const { scheme = 'int8', ranges: method = 'min-max' } = options;
  requireFloat(model);
  ioOf(scheme, options.io);
  // What the file says of computed shapes may be a guess.
  const { model: prepared, changes } = optimize(model.subgraphs.length === 1 ? resolveShapes(model) : model);
  const needsData = schemes[scheme].activations !== null;
  const calibration = needsData ? await calibrate(prepared, datasets, { ...options, histograms: needsHistogram(method) }) : null;
  const plan = planQuantization(prepared, rangesOf(calibration, method), options);
  const bytes = writeModel(applyPlan(prepared, plan));
  return { bytes, model: verified(bytes, plan), plan, calibration, optimizations: changes, warnings: [...(calibration?.warnings ?? []), ...plan.warnings] };
}

function rangesOf(calibration: Calibration | null, method: RangeMethod): Map<number, Ranges> {
  const entries = (calibration?.subgraphs ?? []).map(({ subgraph, tensors }): [number, Ranges] => [
    subgraph,
    tensors.map((statistics) => (statistics === null ? null : chooseRange(statistics, method))),
  ]);
  return new Map(entries);
}
