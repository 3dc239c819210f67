import { overflowRisks } from '../simulator/index.js';
import type { Model } from '../tflite/index.js';

export interface Warning {
  readonly code: string;
  readonly message: string;
}

/** What a model's results may suffer from, whatever runs it. */
export function modelWarnings(model: Model): Warning[] {
  return overflowRisks(model).map(({ operator, op, tensor, channels }) => ({
    code: 'ACCUMULATOR_OVERFLOW',
    message: `operator ${operator} ${op}: the 32-bit accumulator of ${channels} channel(s) of weights ${tensor} can wrap, here as on the device`,
  }));
}
