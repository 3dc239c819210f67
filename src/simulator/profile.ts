// Measures how long each operator takes on this machine.

import { elementAt } from '../base/checked.js';
import type { Model } from '../formats/tflite/index.js';
import { Interpreter, type InterpreterOptions } from './interpreter.js';
import { workOf } from './work.js';

/** The time that one operator takes on the host's simulator. */
export interface OperatorProfile {
  readonly index: number;
  readonly op: string;
  /** The first output's shape. */
  readonly shape: readonly number[];
  /** Multiply-accumulates of one inference. */
  readonly macs: number;
  /** Median on this machine. */
  readonly latencyMs: number;
  /** Null for operators without multiply-accumulates, or too short for the clock. */
  readonly gmacPerSecond: number | null;
}

/**
 * Measures each operator on the host's simulator, with one sample.
 * @param sample all inputs back to back
 */
export function profileOperators(
  model: Model,
  sample: Uint8Array,
  options: InterpreterOptions & { readonly repeat?: number } = {},
): OperatorProfile[] {
  const interpreter = new Interpreter(model, options);
  const work = workOf(model);
  const repeat = Math.max(1, options.repeat ?? 20);
  const times = interpreter.operators.map(() => new Float64Array(repeat));
  // Warm-up: the JavaScript engine still compiles during the first runs.
  for (let round = -Math.min(repeat, 20); round < repeat; round++) {
    interpreter.reset();
    let last = performance.now();
    interpreter.run(sample, (operator) => {
      const now = performance.now();
      if (round >= 0) elementAt(times, operator)[round] = now - last;
      last = performance.now();
    });
  }
  return interpreter.operators.map(({ name, shape }, index) => {
    const latencyMs = elementAt(elementAt(times, index).toSorted(), Math.floor(repeat / 2));
    const macs = work[index]?.macs ?? 0;
    return {
      index,
      op: name,
      shape,
      macs,
      latencyMs,
      gmacPerSecond: macs === 0 || latencyMs === 0 ? null : macs / latencyMs / 1e6,
    };
  });
}
