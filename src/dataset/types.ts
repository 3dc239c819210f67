import type { DatasetFile, Metric, Windows } from './schema.js';

export interface Sample {
  /** Position in the whole dataset, before any limit. */
  readonly index: number;
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
  /** The signature of the model that the samples are for; null for the model as such. */
  readonly signature: string | null;
  /** What draws the samples where there is a limit. */
  readonly seed: number;
  /** How many samples `samples()` gives. */
  readonly count: number;
  /** @param limit at most so many, drawn by the file's seed */
  readonly samples: (limit?: number) => AsyncGenerator<Sample>;
}
