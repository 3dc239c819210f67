import type { DatasetFile, Metric, Windows } from './schema.js';

export interface Sample {
  /** Position in the whole dataset, before any limit. */
  readonly index: number;
  /**
   * Whether a model that keeps state goes on from the sample before: both are of one file, and the dataset's state is
   * `per-file`.
   */
  readonly continues: boolean;
  readonly inputs: readonly Float32Array[];
  readonly label: number | null;
  readonly targets: readonly Float32Array[] | null;
}

export interface DatasetInput {
  readonly name: string | null;
  /** Shape of one sample, null where only reading tells. */
  readonly shape: readonly number[] | null;
  /** Integers on disk that are taken as they are: no quantization says what they stand for. */
  readonly integers: boolean;
}

export interface Dataset {
  readonly name: string;
  readonly path: string;
  readonly task: DatasetFile['task'];
  readonly metric: Metric | null;
  readonly windows: Windows | null;
  readonly classes: readonly string[] | null;
  readonly inputs: readonly DatasetInput[];
  readonly hasLabels: boolean;
  readonly hasTargets: boolean;
  /** Likely mistakes in the dataset file. */
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** The signature of the model that the samples are for; null for the model as such. */
  readonly signature: string | null;
  /** Name of the model output that labels or targets describe; null: the first output. */
  readonly output: string | null;
  /** How long a model's state lasts; null where the file does not say, which means `per-sample`. */
  readonly state: 'per-sample' | 'per-file' | null;
  /** Whether a file holds several samples, or windows are cut from it: what belongs together in a stream. */
  readonly sharesFiles: boolean;
  /** What draws the samples where there is a limit. */
  readonly seed: number;
  /** How many samples `samples()` gives. */
  readonly count: number;
  /** @param limit at most so many, drawn by the file's seed; with state `per-file` the first */
  readonly samples: (limit?: number) => AsyncGenerator<Sample>;
}
