import type { DatasetFile, Metric, Windows } from './schema.js';

/** A sample: real values of every input, with its label or its expected outputs. */
export interface Sample {
  /** Index in the whole dataset, before any limit. */
  readonly index: number;
  /**
   * Whether a stateful model continues from the previous sample: both are from one file, and the dataset's state is
   * `per-file`.
   */
  readonly continues: boolean;
  /** Real values of each input, row-major. */
  readonly inputs: readonly Float32Array[];
  /** Class number; null without labels. */
  readonly label: number | null;
  /** Real values of each output; null without targets. */
  readonly targets: readonly Float32Array[] | null;
}

/** An input of a dataset's samples. */
export interface DatasetInput {
  readonly name: string | null;
  /** Shape of one sample; null if it is known only after reading. */
  readonly shape: readonly number[] | null;
  /** Whether integers on disk are used as they are, because no quantization scales them. */
  readonly integers: boolean;
}

/** Labelled or unlabelled samples, for calibration or evaluation. */
export interface Dataset {
  readonly name: string;
  readonly path: string;
  readonly task: DatasetFile['task'];
  /** null for data without labels and targets. */
  readonly metric: Metric | null;
  readonly windows: Windows | null;
  /** Names of the classes, in the order of the model's outputs; null if there are none. */
  readonly classes: readonly string[] | null;
  readonly inputs: readonly DatasetInput[];
  readonly hasLabels: boolean;
  readonly hasTargets: boolean;
  /** Likely mistakes in the dataset file. */
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** The signature of the model that the samples are for; null for the main subgraph. */
  readonly signature: string | null;
  /** Name of the model output that labels or targets describe; null: the first output. */
  readonly output: string | null;
  /** How long a model's state lasts; null if the file does not say, which means `per-sample`. */
  readonly state: 'per-sample' | 'per-file' | null;
  /** Whether a file holds several samples, or windows are cut from it, so that samples may form a stream. */
  readonly sharesFiles: boolean;
  /** Seed for drawing samples if there is a limit. */
  readonly seed: number;
  /** Number of samples that `samples()` returns. */
  readonly count: number;
  /** @param limit maximum number of samples, drawn with the file's seed; with state `per-file` the first ones */
  readonly samples: (limit?: number) => AsyncGenerator<Sample>;
}
