// What `check` and `quantize --target` say of a file: as it will lie in a slot, with manifest and self-test vectors.

import { slotImageBytes } from '../bundle/index.js';
import { type CheckResult, checkModel, type Target } from '../targets/index.js';
import type { Model } from '../tflite/index.js';

export function checkFile(bytes: Uint8Array, model: Model, target: Target): CheckResult {
  const bare = checkModel(model, target, bytes.byteLength);
  // A model that the simulator does not run has no vectors, and does not fit anyway.
  return bare.reasons.some(({ code }) => code === 'SIMULATOR' || code === 'OPERATOR') ? bare : checkModel(model, target, slotImageBytes(bytes, model, target));
}
