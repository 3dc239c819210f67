// The documents of the verbs that judge a model for a target, and that describe targets.

import type { YamlFault } from '../../base/files/index.js';
import type { Suggestion } from '../../optimize/suggestions.js';
import type { CompiledDescription, CompilerLog, PredictionDifference } from '../../targets/compiled/index.js';
import type { Budget, Calibrated, CheckResult, MemoryMap, Target } from '../../targets/index.js';
import type { AdvisedResult } from '../advice/check-advice.js';

/** Of one target, and of `--target all`. */
export type CheckDocument = { readonly file: string } & (
  | { readonly targets: readonly AdvisedResult[] }
  | (AdvisedResult & {
      /** Changes that would make the model fit. */
      readonly suggestions: readonly (Suggestion & { readonly what: string })[];
      /** With --memory: the content of the arena over time; null if it is unknown. */
      readonly arena?: MemoryMap | null;
    })
);

/** What is predicted of a model compiled for the Edge TPU. */
export type PredictionDocument = Pick<CheckResult, 'operators' | 'npuSubgraphs' | 'memory' | 'latencyMs'>;

/** With the compiled model, with the prediction alone if there is no compiler, or with the operator that fails. */
export type CompileDocument = { readonly file: string } & (
  | {
      readonly output: string | null;
      /** null if no compiler is installed. */
      readonly compiled: (Partial<CompiledDescription> & { readonly log: CompilerLog }) | null;
      readonly predicted: PredictionDocument;
      readonly differences: readonly PredictionDifference[];
    }
  | {
      readonly output: string;
      readonly compiled: null;
      /** What the compiler says. */
      readonly failure: string;
      /** The first operators with which it fails: their count, the last one, and how often the compiler ran. */
      readonly bisection: { readonly operators: number; readonly op: string; readonly runs: number };
    }
);

/** Of `targets`, of `targets --validate` and of `targets calibrate`. */
export type TargetsDocument =
  | {
      readonly targets: readonly (Pick<Target, 'id' | 'name' | 'soc' | 'core' | 'clockHz' | 'runtime'> & {
        readonly budgets: Budget;
      })[];
    }
  | { readonly file: string; readonly valid: boolean; readonly faults: readonly YamlFault[] }
  | {
      readonly target: string;
      readonly output: string;
      readonly measured: Calibrated['measured'];
      /** Whether a simulated device was measured, which only repeats the estimate. */
      readonly simulated: boolean;
      readonly models: readonly {
        readonly file: string;
        readonly measuredMs: number;
        readonly estimatedMs: number;
        readonly correctedMs: number;
      }[];
    };
