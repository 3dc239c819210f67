import type { Model } from '../../formats/tflite/index.js';

/** What a step made of a model. */
export interface Changed {
  readonly model: Model;
  readonly changes: number;
}

/** A step from a float model to an equivalent float model. */
export interface GraphPass {
  readonly name: string;
  /** Gives the same model when there is nothing to change. */
  readonly run: (model: Model) => Changed;
}
