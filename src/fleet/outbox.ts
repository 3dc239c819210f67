// Says at the broker what devices are to run: the latest word for each, one message under way for each, a bounded
// number for all.

import type { DeviceRecord } from './records.js';

const maxInFlight = 64;

export type Desire = Pick<DeviceRecord, 'id' | 'attempt' | 'desired'>;

export class Outbox {
  private readonly waiting = new Map<string, Desire>();
  private readonly inFlight = new Map<string, Desire>();
  private done = new Map<string, Desire>();
  private failure: unknown = null;
  private stopped = false;

  /** @param publish resolves when the broker has it */
  constructor(private readonly publish: (desire: Desire) => Promise<void>) {}

  /** Messages that are not at the broker yet. */
  get open(): number {
    return this.waiting.size + this.inFlight.size;
  }

  /** What is on its way already, or there, is not sent twice. */
  put({ id, attempt, desired }: Desire): void {
    const desire = { id, attempt, desired };
    if (isSame(desire, this.inFlight.get(id) ?? this.done.get(id))) this.waiting.delete(id);
    else this.waiting.set(id, desire);
    this.pump();
  }

  /** What has come to the broker since this was asked last. @throws what the broker refused */
  drain(): Iterable<Desire> {
    if (this.failure !== null) throw this.failure;
    const { done } = this;
    this.done = new Map();
    return done.values();
  }

  /** What is not under way yet stays unsaid. */
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
