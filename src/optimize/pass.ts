import type { Model } from '../tflite/index.js';

/** A step from a float model to an equivalent float model. */
export interface GraphPass {
  readonly name: string;
  /** Gives the same model when there is nothing to change. */
  readonly run: (model: Model) => { readonly model: Model; readonly changes: number };
}
