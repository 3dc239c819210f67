// Says at the broker what devices are to run: the latest word for each, one message under way for each, a bounded
// number for all.

import type { DeviceRecord } from './records.js';

const mostInFlight = 64;

export type Said = Pick<DeviceRecord, 'id' | 'attempt' | 'wants'>;

export class Outbox {
  private readonly waiting = new Map<string, Said>();
  private readonly inFlight = new Map<string, Said>();
  private done = new Map<string, Said>();
  private failure: unknown = null;
  private stopped = false;

  /** @param publish resolves when the broker has it */
  constructor(private readonly publish: (said: Said) => Promise<void>) {}

  /** Messages that are not at the broker yet. */
  get open(): number {
    return this.waiting.size + this.inFlight.size;
  }

  /** What is on its way already, or there, is not sent twice. */
  put({ id, attempt, wants }: Said): void {
    const said = { id, attempt, wants };
    if (isSame(said, this.inFlight.get(id) ?? this.done.get(id))) this.waiting.delete(id);
    else this.waiting.set(id, said);
    this.pump();
  }

  /** What has come to the broker since this was asked last. @throws what the broker refused */
  drain(): Iterable<Said> {
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
    for (const [id, said] of this.waiting) {
      if (this.inFlight.size >= mostInFlight) return;
      if (this.inFlight.has(id)) continue;
      this.waiting.delete(id);
      this.inFlight.set(id, said);
      void this.send(said);
    }
  }

  private async send(said: Said): Promise<void> {
    try {
      await this.publish(said);
      this.done.set(said.id, said);
    } catch (error) {
      this.failure ??= error;
    }
    this.inFlight.delete(said.id);
    this.pump();
  }
}

function isSame(a: Said, b: Said | undefined): boolean {
  return b?.attempt === a.attempt && b.wants === a.wants;
}
