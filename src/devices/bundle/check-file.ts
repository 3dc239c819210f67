// Checks a file against a target as it would lie in a slot, with manifest and self-test vectors, and builds that slot
// image.

import type { Model } from '../../formats/tflite/index.js';
import { compiledModelOf, newestRuntime, requireRuntime } from '../../targets/compiled/index.js';
import {
  type CheckOptions,
  type CheckResult,
  checkModel,
  factsOf,
  requireFit,
  type Target,
} from '../../targets/index.js';
import { type BundleOptions, buildSlotImage, slotImageBytes } from './build.js';

export function checkFile(bytes: Uint8Array, model: Model, target: Target, options: CheckOptions = {}): CheckResult {
  const facts = options.facts ?? factsOf(model);
  // A model that the simulator does not run has no vectors, and does not fit anyway.
  return checkModel(model, target, facts.simulated ? slotImageBytes(bytes, model, target, facts) : bytes.byteLength, {
    ...options,
    facts,
  });
}

/**
 * The slot image of a model that a target accepts: one that fits or, for an Edge TPU, was compiled for it.
 * @throws MODEL_DOES_NOT_FIT, MODEL_COMPILED, EDGETPU_RUNTIME, EDGETPU_PACKAGE_INVALID, EDGETPU_TWIN
 */
export function buildImageFor(
  bytes: Uint8Array,
  model: Model,
  target: Target,
  options: BundleOptions = {},
): Uint8Array {
  const compiled = compiledModelOf(model);
  if (compiled === null || target.runtime.kernels !== 'edgetpu')
    return buildFittingImage(bytes, model, target, options).image;
  requireRuntime(compiled, target.runtime.version ?? newestRuntime, target.id);
  return buildSlotImage(bytes, model, target, options);
}

/** The slot image of a model that fits a target, with the result of the check. @throws MODEL_DOES_NOT_FIT */
export function buildFittingImage(
  bytes: Uint8Array,
  model: Model,
  target: Target,
  options: BundleOptions = {},
): { readonly image: Uint8Array; readonly check: CheckResult } {
  const image = buildSlotImage(bytes, model, target, options);
  const check = checkModel(model, target, image.byteLength);
  requireFit(check);
  return { image, check };
}
