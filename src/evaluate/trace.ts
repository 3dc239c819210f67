// Records the real values of tensors while a model runs.

import type { Model } from '../formats/tflite/index.js';
import { Interpreter, type Operand } from '../simulator/index.js';
import { toModelInput, toRealValues } from './convert.js';

/** Runs samples through one signature of a model and returns the values of selected tensors. */
export class Tracer {
  private readonly interpreter: Interpreter;

  /** @param wanted tensor indices; constants are not recorded */
  constructor(
    model: Model,
    signature: string | undefined,
    private readonly wanted: ReadonlySet<number>,
  ) {
    this.interpreter = new Interpreter(model, { signature });
  }

  /**
   * @param inputs real values by input, in the model's order
   * @param continues whether variables keep their values from the previous run
   */
  run(inputs: readonly Float32Array[], continues = false): Map<number, Float32Array> {
    const values = new Map<number, Float32Array>();
    const { interpreter, wanted } = this;
    const { bytes } = toModelInput(inputs, interpreter.inputs, [...inputs.keys()], 'calibration');
    let at = 0;
    for (const info of interpreter.inputs) {
      if (wanted.has(info.index)) values.set(info.index, toRealValues(bytes.subarray(at, at + info.bytes), info));
      at += info.bytes;
    }
    if (!continues) interpreter.reset();
    interpreter.stream(bytes, (_, outputs) => {
      for (const output of outputs)
        if (wanted.has(output.index) && !output.constant) values.set(output.index, realValues(output));
    });
    return values;
  }
}

function realValues({ type, data, scale, zeroPoint }: Operand): Float32Array {
  if (type === 'float32') return (data as Float32Array).slice();
  const [factor, zero] = [scale[0] ?? 1, zeroPoint[0] ?? 0];
  return Float32Array.from(data as Int8Array, (q) => (q - zero) * factor);
}
