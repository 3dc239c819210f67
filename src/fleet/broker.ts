// What a rollout needs of a broker and of a clock, so that the same code runs at a real broker and in virtual time.

import type { AtollError } from '../base/errors.js';
import type { BrokerTrouble, Message } from '../devices/mqtt/index.js';

/** `BrokerConnection` implements it. */
export interface FleetBroker {
  readonly uri: string;
  /** Resolves when the broker has the message. @throws BROKER_REFUSED */
  readonly publish: (
    topic: string,
    payload: Uint8Array | string,
    options?: { readonly retain?: boolean },
  ) => Promise<void>;
  /** Retained messages are delivered in the order of the filters. */
  readonly subscribe: (
    filters: string | readonly string[],
    handle: (message: Message) => void,
    options?: { readonly qos?: 0 | 1; readonly retained?: boolean },
  ) => Promise<void>;
  readonly unsubscribe: (filters: string | readonly string[]) => Promise<void>;
  /** Called when the connection is lost, and when it is back. */
  onChange: ((connected: boolean) => void) | null;
  /** Called when the connection has ended for good; absent if the implementation never ends by itself. */
  onEnd?: ((error: AtollError) => void) | null;
  /** Set while there is no connection, otherwise null; absent if the implementation cannot tell. */
  readonly trouble?: BrokerTrouble | null;
}

/** The time of a rollout: real, or virtual in tests. */
export interface Clock {
  /** Milliseconds since 1970 by the machine's clock; may jump. */
  readonly wall: () => number;
  /** Monotonic milliseconds, from an arbitrary start. */
  readonly elapsed: () => number;
  /** @returns a function that cancels the timer */
  readonly later: (ms: number, callback: () => void) => () => void;
}

export const machineClock: Clock = {
  wall: () => Date.now(),
  elapsed: () => performance.now(),
  later: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.later(ms, resolve);
  });
}
