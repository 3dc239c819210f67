// Time and messages of a fleet device, so that a fleet can run at a broker or in virtual time.

export interface FleetPort {
  readonly subscribe: (filter: string) => void;
  readonly unsubscribe: (filter: string) => void;
  readonly publish: (topic: string, payload: Uint8Array | string, retain: boolean) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** @returns a function that cancels it */
  readonly later: (ms: number, callback: () => void) => () => void;
  /** Resolves a pending promise before virtual time advances. */
  readonly wake: () => void;
}
