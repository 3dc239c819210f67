// Progress of a long call: every function of the library that takes long reports it in this form.

/** How much of a step is done. */
export interface Amount {
  readonly done: number;
  readonly total: number;
  /** The unit of `done` and `total`, if a rate is of interest. */
  readonly unit?: 'bytes';
}

/** How far a long call has come. */
export interface Progress<Step extends string = string> {
  /** What is being done, in words: 'calibrate', 'upload'. */
  readonly step: Step;
  readonly done: number;
  /** null for a step of unknown length; `done` is then 0. */
  readonly total: number | null;
  /** The unit of `done` and `total`, if a rate is of interest. */
  readonly unit?: 'bytes';
}

/** Called at the beginning of each step and whenever `done` grows; it must return quickly. */
export type OnProgress<Step extends string = string> = (progress: Progress<Step>) => void;

/** The beginning of a step of unknown length. */
export function started<Step extends string>(step: Step): Progress<Step> {
  return { step, done: 0, total: null };
}
