export interface Progress {
  readonly done: number;
  readonly total: number;
  /** The unit of `done` and `total`, if a rate is of interest. */
  readonly unit?: 'bytes';
}
