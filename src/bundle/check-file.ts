// What a target says of a file: as it will lie in a slot, with manifest and self-test vectors.

import { type CheckOptions, type CheckResult, checkModel, factsOf, type Target } from '../targets/index.js';
import type { Model } from '../tflite/index.js';
import { slotImageBytes } from './build.js';

export function checkFile(bytes: Uint8Array, model: Model, target: Target, options: CheckOptions = {}): CheckResult {
  const facts = options.facts ?? factsOf(model);
  // A model that the simulator does not run has no vectors, and does not fit anyway.
  return checkModel(model, target, facts.simulated ? slotImageBytes(bytes, model, target, facts) : bytes.byteLength, { ...options, facts });
}
