// Inputs and outputs of one connection, in RAM: clients that share a device get their own results.

import type { LoadedModel } from './loaded-model.js';

export class Tensors {
  readonly input: Uint8Array;
  output: Uint8Array;

  /** @param start number of the device's boot: RAM does not survive it */
  constructor(
    readonly model: LoadedModel,
    readonly start: number,
  ) {
    this.input = new Uint8Array(model.inputBytes);
    this.output = new Uint8Array(model.outputBytes);
  }

  /** Runs one inference on the input; returns its ticks. @param continues whether variables keep their values */
  async run(continues: boolean): Promise<number> {
    const { output, ticks } = await this.model.execution.run(this.input, continues);
    this.output = output;
    return ticks;
  }
}
