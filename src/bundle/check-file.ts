// What a target says of a file: as it will lie in a slot, with manifest and self-test vectors.

import { simulates } from '../simulator/index.js';
import { type CheckResult, checkModel, type Target } from '../targets/index.js';
import type { Model } from '../tflite/index.js';
import { slotImageBytes } from './build.js';

export function checkFile(bytes: Uint8Array, model: Model, target: Target): CheckResult {
  // A model that the simulator does not run has no vectors, and does not fit anyway.
  return checkModel(model, target, simulates(model) ? slotImageBytes(bytes, model, target) : bytes.byteLength);
}
