/** A place where devices of this process can be reached. */
export interface Listener {
  /** The URI that reaches it. */
  readonly uri: string;
  readonly close: () => Promise<void>;
}
