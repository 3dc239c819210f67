export interface Progress {
  readonly done: number;
  readonly total: number;
  /** What is counted, where its rate is of interest. */
  readonly unit?: 'bytes';
}
