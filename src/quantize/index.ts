// Post-training full-integer quantization. In goes a float model and a calibration dataset in real values; out comes an
// int8 model whose written file has been read back and verified, with the plan that made it (plain data).

import type { Dataset } from '../dataset/index.js';
import { fail, reasonOf } from '../errors.js';
import type { Warning } from '../evaluate/index.js';
import { optimize } from '../optimize/index.js';
import { resolveShapes } from '../simulator/index.js';
import { type Model, writeModel } from '../tflite/index.js';
import { applyPlan } from './apply.js';
import { type Calibration, type CalibrationOptions, calibrate } from './calibrate.js';
import { planQuantization, type QuantizationPlan, requireFloat } from './plan.js';
import { verifyInt8 } from './verify.js';

export { type Calibration, type CalibrationOptions, calibrate } from './calibrate.js';
export type { Range } from './parameters.js';
export { planQuantization, type QuantizationPlan } from './plan.js';
export { type Scheme, schemeOf } from './scheme.js';
export { applyPlan, verifyInt8 };

export interface QuantizeResult {
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly plan: QuantizationPlan;
  readonly calibration: Calibration;
  /** Number of changes of each float graph pass that ran first. */
  readonly optimizations: Readonly<Record<string, number>>;
  readonly warnings: readonly Warning[];
}

/** What fails here is a fault of the quantizer, not of its input. */
function verified(bytes: Uint8Array): Model {
  try {
    return verifyInt8(bytes);
  } catch (error) {
    throw fail('QUANTIZE_VERIFY', { reason: reasonOf(error) }, error);
  }
}

/**
 * Quantizes a float model to int8, inputs and outputs included.
 * @throws CALIBRATION_EMPTY, QUANTIZE_*, DATASET_*, OPERATORS_UNSUPPORTED
 */
export async function quantize(model: Model, dataset: Dataset, options: CalibrationOptions = {}): Promise<QuantizeResult> {
  requireFloat(model);
  // What the file says of computed shapes may be a guess.
  const { model: prepared, changes } = optimize(model.subgraphs.length === 1 ? resolveShapes(model) : model);
  const calibration = await calibrate(prepared, dataset, options);
  const plan = planQuantization(prepared, calibration);
  const bytes = writeModel(applyPlan(prepared, plan));
  return { bytes, model: verified(bytes), plan, calibration, optimizations: changes, warnings: plan.warnings };
}
