// The documents of the verbs that read or write models.

import type { Warning } from '../../base/warnings.js';
import type { ManifestView } from '../../devices/bundle/index.js';
import type { GateResult } from '../../evaluate/index.js';
import type { Advised } from '../../optimize/advise.js';
import type { OptimizedWeights } from '../../optimize/optimize-weights.js';
import type { MemoryPlan } from '../../optimize/passes/index.js';
import type {
  ActivationPlan,
  ConversionPlan,
  MixedPrecision,
  OperatorPlan,
  QuantizationPlan,
  QuantizeResult,
  SubgraphCalibration,
} from '../../optimize/quantize/index.js';
import type { CheckResult, RegisteredOperator } from '../../targets/index.js';
import type { Inspection } from '../inspect.js';
import type { SourceInspection } from '../inspect-source.js';
import type { ConvertedFrom } from '../load-model.js';

/** Of a `.tflite` model or a bundle, and of a source model. */
export type InspectDocument = { readonly file: string } & (
  | (Inspection & {
      /** The manifest of a bundle; null for a bare model. */
      readonly manifest: ManifestView | null;
    })
  | { readonly source: SourceInspection }
);

export interface AdviseDocument extends Advised {
  readonly file: string;
  /** The command that writes the recommended model; null if none is recommended. */
  readonly command: string | null;
}

export interface ConvertDocument
  extends ConvertedFrom,
    Pick<Inspection, 'inputs' | 'outputs' | 'macs' | 'parameterBytes'> {
  readonly file: string;
  readonly output: string;
  readonly outputBytes: number;
  /** Number of operators by name. */
  readonly operators: Readonly<Record<string, number>>;
}

/** Of `optimize`, and of `optimize --plan-memory`. */
export type OptimizeDocument = { readonly file: string; readonly output: string } & (
  | Omit<OptimizedWeights, 'bytes'>
  | { readonly memoryPlan: MemoryPlanDocument }
);

export type MemoryPlanDocument = Omit<MemoryPlan, 'model'>;

/** What a calibration saw. */
export type CalibrationDocument = Pick<SubgraphCalibration, 'signature' | 'dataset' | 'samples' | 'seed' | 'sha256'>;

export interface QuantizeDocument
  extends Pick<QuantizationPlan, 'scheme' | 'io'>,
    Pick<QuantizeResult, 'optimizations' | 'rangeMethods' | 'repairs' | 'sparseTensors'> {
  readonly file: string;
  readonly output: string;
  readonly sizes: {
    readonly inputBytes: number;
    readonly outputBytes: number;
    /** Compressed bytes of the output, in the blocks that are sent. */
    readonly compressedBytes: number;
  };
  /** null for schemes that need no data. With several signatures, that of the first. */
  readonly calibration: CalibrationDocument | null;
  /** All of them, if there are several. */
  readonly calibrations?: readonly CalibrationDocument[];
  /** Operators that --min-snr widened; null without it. */
  readonly mixed:
    | (Omit<MixedPrecision, 'unmixed'> & {
        /** On the target of --target; null if unknown. */
        readonly latencyMs: { readonly before: number; readonly after: number } | null;
      })
    | null;
  readonly memoryPlan: MemoryPlanDocument | null;
  readonly operators: readonly ({ readonly subgraph: number; readonly index: number } & OperatorPlan)[];
  /** Activations with their scales and zero points. */
  readonly tensors: readonly ({ readonly subgraph: number } & ActivationPlan)[];
  /** QUANTIZE and DEQUANTIZE operators that were added. */
  readonly conversions: readonly ({ readonly subgraph: number } & ConversionPlan)[];
  /** Of both models on --data; null without it. */
  readonly accuracy: {
    readonly metric: string;
    readonly float: number;
    readonly quantized: number;
    readonly samples: number;
  } | null;
  readonly gates: readonly GateResult[];
  /** The shipped targets. */
  readonly targets: readonly Pick<CheckResult, 'target' | 'fits' | 'latencyMs'>[];
  readonly warnings: readonly Warning[];
  /** For the target of --target. */
  readonly check?: CheckResult;
}

/** What was written, by format. */
export type ExportFacts =
  | {
      readonly format: 'resolver';
      readonly operators: readonly RegisteredOperator[];
      /** null without --target, and for a target without an interpreter. */
      readonly arenaBytes: number | null;
    }
  | {
      readonly format: 'c-array';
      /** Name of the array. */
      readonly name: string;
      readonly bytes: number;
    }
  | {
      readonly format: 'uf2';
      /** Flash address of the first byte. */
      readonly address: number;
      readonly bytes: number;
      readonly familyId: number;
    }
  | { readonly format: 'bin'; readonly bytes: number };

export type ExportDocument = ExportFacts & {
  readonly file: string;
  /** Paths of the files. */
  readonly output: readonly string[];
};

export interface BundleDocument {
  readonly file: string;
  readonly output: string;
  readonly target: string;
  readonly bundleBytes: number;
  /** Bytes to send, in compressed blocks. */
  readonly compressedBytes: number;
  readonly manifest: ManifestView | null;
}

/** Of `keys create`, and of `keys show`. */
export type KeysDocument = {
  readonly algorithm: 'ed25519' | 'es256';
  /** In hexadecimal. */
  readonly keyId: string;
} & (
  | { readonly privateKey: string; readonly publicKey: string }
  | {
      readonly file: string;
      readonly private: boolean;
      /** In hexadecimal. */
      readonly publicKey: string;
    }
);
