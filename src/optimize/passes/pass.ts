import type { Model } from '../../formats/tflite/index.js';

/** The result of a pass. */
export interface Changed {
  readonly model: Model;
  readonly changes: number;
}

/** A transformation of a float model into an equivalent float model. */
export interface GraphPass {
  readonly name: string;
  /** Returns the same model if there is nothing to change. */
  readonly run: (model: Model) => Changed;
}
