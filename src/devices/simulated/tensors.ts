// Inputs and outputs of one connection, as RAM holds them: who shares a device with others gets its own answers all the
// same.

import type { LoadedModel } from './loaded-model.js';

export class Tensors {
  readonly input: Uint8Array;
  output: Uint8Array;

  /** @param start the device's, since it was made: RAM does not outlive one */
  constructor(
    readonly model: LoadedModel,
    readonly start: number,
  ) {
    this.input = new Uint8Array(model.inputBytes);
    this.output = new Uint8Array(model.outputBytes);
  }

  /** One inference on the input; returns its ticks. @param continues whether variables keep what the one before left */
  async run(continues: boolean): Promise<number> {
    const { output, ticks } = await this.model.execution.run(this.input, continues);
    this.output = output;
    return ticks;
  }
}
