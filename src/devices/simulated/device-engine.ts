// What runs the models of a device that this process serves: the simulator within a target's limits, or an accelerator
// at one of its ports.

import type { AtollError } from '../../base/errors.js';
import type { Model } from '../../formats/tflite/index.js';
import type { TensorInfo } from '../../simulator/index.js';
import { atollStatusError, type StatusError } from './status-error.js';

export interface Inference {
  /** All outputs one after another. */
  readonly output: Uint8Array;
  readonly ticks: number;
}

/** A model that is loaded. */
export interface Execution {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly arenaBytes: number;
  /** Builtin code and ticks of each operator; null where that is not known. */
  readonly operators: readonly (readonly [code: number, ticks: number])[] | null;
  /**
   * @param sample all inputs one after another
   * @param continues whether variables keep what the run before left (engines with the feature `stream`); otherwise
   * they are reset
   * @throws what makes the device unusable
   */
  readonly run: (sample: Uint8Array, continues?: boolean) => Promise<Inference>;
  /** What so many inferences take, in milliseconds. @param random of the device, where they are drawn */
  readonly latencies: (count: number, random: () => number) => number[] | Promise<number[]>;
}

export interface DeviceEngine {
  /** As `describe` tells them. */
  readonly firmware: string;
  readonly runtimeVersion: string;
  readonly simulated: boolean;
  /** Beside what the server itself can. */
  readonly features: readonly string[];
  /**
   * @param imageBytes of the slot image around it.
   * @throws StatusError where the model does not fit; what makes the device unusable
   */
  readonly load: (model: Model, imageBytes: number) => Promise<Execution>;
}

/** The answer where a model is not fit to be run. */
export function engineError(error: AtollError): StatusError {
  return atollStatusError('IMAGE_INVALID', error.message);
}

/** Ticks per second of the counter that latencies are told in. */
export const tickHz = 1_000_000;
