/** An address at which devices of this process answer. */
export interface Listener {
  /** The URI to open it with. */
  readonly uri: string;
  readonly close: () => Promise<void>;
}
