// The documents of the verbs that run models.

import type { Warning } from '../../base/warnings.js';
import type { OperatorTicks, RunMeasurement } from '../../devices/client/index.js';
import type { BatchResult, Comparison, Evaluation, GateResult } from '../../evaluate/index.js';
import type { OperatorProfile } from '../../simulator/index.js';
import type { AdvisedTensor } from '../advice/compare-advice.js';
import type { DeployResult } from '../deploy.js';

export interface CompareDocument extends Omit<Comparison, 'worst'> {
  readonly files: { readonly first: string; readonly second: string };
  /** The tensors with the largest errors, with what to do about each. */
  readonly worst: readonly AdvisedTensor[];
  readonly gates: readonly GateResult[];
}

/** What a device measured while it ran. */
export interface DeviceMeasurement extends RunMeasurement {
  /** null if the device does not report it. */
  readonly operators: readonly OperatorTicks[] | null;
}

export interface RunDocument extends Pick<BatchResult, 'samples' | 'latencyMs'> {
  readonly file: string;
  /** null: this host. */
  readonly device: string | null;
  /** null if it is unknown. */
  readonly arenaBytes: number | null;
  /** The file of the outputs; null without --output. */
  readonly output: string | null;
  readonly warnings: readonly Warning[];
  /** Time of each operator; only with --profile. */
  readonly operators?: readonly OperatorProfile[];
  /** With --device. */
  readonly measurement?: DeviceMeasurement;
}

export interface EvaluateDocument extends Evaluation {
  readonly file: string;
  /** null: this host. */
  readonly device: string | null;
  readonly gates: readonly GateResult[];
  /** With --device: the simulator on the same samples. */
  readonly simulator?: { readonly metric: string; readonly value: number };
  /** With --device. */
  readonly measurement?: DeviceMeasurement;
}

export type DeployDocument = DeployResult;
