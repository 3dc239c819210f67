// Runs the models of a served device: on the simulator within a target's limits, or on an accelerator of this machine.

import type { AtollError } from '../../base/errors.js';
import type { Model } from '../../formats/tflite/index.js';
import type { TensorInfo } from '../../simulator/index.js';
import { atollStatusError, type StatusError } from './status-error.js';

export interface Inference {
  /** All outputs back to back. */
  readonly output: Uint8Array;
  readonly ticks: number;
}

/** A loaded model. */
export interface Execution {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly arenaBytes: number;
  /** Builtin code and ticks of each operator; null if unknown. */
  readonly operators: readonly (readonly [code: number, ticks: number])[] | null;
  /**
   * @param sample all inputs back to back
   * @param continues whether variables keep their values from the previous run (engines with the feature `stream`);
   * otherwise they are reset
   * @throws an error that makes the device unusable
   */
  readonly run: (sample: Uint8Array, continues?: boolean) => Promise<Inference>;
  /** Latencies of a number of inferences, in milliseconds. @param random the device's generator, for jitter */
  readonly latencies: (count: number, random: () => number) => number[] | Promise<number[]>;
}

export interface DeviceEngine {
  /** As `describe` reports them. */
  readonly firmware: string;
  readonly runtimeVersion: string;
  readonly simulated: boolean;
  /** In addition to the server's own features. */
  readonly features: readonly string[];
  /**
   * @param imageBytes size of the slot image
   * @throws StatusError if the model does not fit; an error that makes the device unusable
   */
  readonly load: (model: Model, imageBytes: number) => Promise<Execution>;
}

/** The status for a model that cannot run. */
export function engineError(error: AtollError): StatusError {
  return atollStatusError('IMAGE_INVALID', error.message);
}

/** Ticks per second of the clock that latencies are reported in. */
export const tickHz = 1_000_000;
