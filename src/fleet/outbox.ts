// Publishes `desired` messages: the latest one for each device, one at a time for each device, and a limited number in
// total.

import type { DeviceRecord } from './records.js';

const maxInFlight = 64;

export type Desire = Pick<DeviceRecord, 'id' | 'attempt' | 'desired'>;

export class Outbox {
  private readonly waiting = new Map<string, Desire>();
  private readonly inFlight = new Map<string, Desire>();
  private done = new Map<string, Desire>();
  private failure: unknown = null;
  private stopped = false;

  /** @param publish resolves when the broker has acknowledged the message */
  constructor(private readonly publish: (desire: Desire) => Promise<void>) {}

  /** Messages that the broker has not acknowledged yet. */
  get open(): number {
    return this.waiting.size + this.inFlight.size;
  }

  /** A message that is already in flight or acknowledged is not sent twice. */
  put({ id, attempt, desired }: Desire): void {
    const desire = { id, attempt, desired };
    if (isSame(desire, this.inFlight.get(id) ?? this.done.get(id))) this.waiting.delete(id);
    else this.waiting.set(id, desire);
    this.pump();
  }

  /** Messages acknowledged since the last call. @throws what the broker refused */
  drain(): Iterable<Desire> {
    if (this.failure !== null) throw this.failure;
    const { done } = this;
    this.done = new Map();
    return done.values();
  }

  /** Messages that are not in flight yet are not sent any more. */
  stop(): void {
    this.stopped = true;
    this.waiting.clear();
  }

  private pump(): void {
    if (this.stopped) return;
    for (const [id, desire] of this.waiting) {
      if (this.inFlight.size >= maxInFlight) return;
      if (this.inFlight.has(id)) continue;
      this.waiting.delete(id);
      this.inFlight.set(id, desire);
      void this.send(desire);
    }
  }

  private async send(desire: Desire): Promise<void> {
    try {
      await this.publish(desire);
      this.done.set(desire.id, desire);
    } catch (error) {
      this.failure ??= error;
    }
    this.inFlight.delete(desire.id);
    this.pump();
  }
}

function isSame(a: Desire, b: Desire | undefined): boolean {
  return b?.attempt === a.attempt && b.desired === a.desired;
}
