/** Something that does not stop the work but may make its result wrong. */
export interface Warning {
  /** In capitals, such as ACCUMULATOR_OVERFLOW. */
  readonly code: string;
  readonly message: string;
}
