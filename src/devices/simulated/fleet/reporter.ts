// Reports of a fleet device: numbered, saved before they are sent, and repeated, since a broker may not keep one.

import { reasonOf } from '../../../base/errors.js';
import { type fleetTopics, presence } from '../../mqtt/index.js';
import { encodeReported, type WrittenReported } from '../../protocol/index.js';
import { codeOf } from '../status-error.js';
import type { FleetPort } from './port.js';

/** The last report is repeated after this time, and then after twice as long each time. */
const repeatMs = 30_000;
const maxRepeatMs = 86_400_000;

export class Reporter {
  /** Called with each report when it is sent. */
  onReport: ((reported: WrittenReported) => void) | null = null;
  private sequence: number;
  private last: WrittenReported | null = null;
  /** The last report that was sent; one that is still being saved does not count. */
  private published: WrittenReported | null = null;
  private callOffRepeat: () => void = () => undefined;

  /** @param keep saves flash if it has changed */
  constructor(
    private readonly id: string,
    private readonly topics: ReturnType<typeof fleetTopics>,
    private readonly port: FleetPort,
    private readonly keep: (() => Promise<void>) | null,
  ) {
    this.sequence = this.firstSequence();
  }

  /** Whether it has reported since it started. */
  get hasReported(): boolean {
    return this.last !== null;
  }

  announce(): void {
    this.port.publish(this.topics.alive(this.id), presence.online, true);
  }

  /** Sends the last report again, which may not have arrived. */
  resend(): void {
    if (this.published !== null) this.send(this.published);
  }

  /** @param numbered makes the report of its number */
  report(numbered: (seq: number) => WrittenReported): void {
    // The clock may have been set forward since the last report: the number follows it.
    this.sequence = Math.max(this.sequence + 1, this.firstSequence());
    const reported = numbered(this.sequence);
    this.last = reported;
    if (this.keep === null) this.publish(reported);
    else this.publishKept(reported, this.keep());
  }

  stop(): void {
    this.callOffRepeat();
    this.last = null;
  }

  /** RAM is lost. */
  restart(): void {
    this.stop();
    this.published = null;
    this.sequence = this.firstSequence();
  }

  /** Report nothing that a restart would not find in flash. */
  private publishKept(reported: WrittenReported, kept: Promise<void>): void {
    this.port.wake();
    kept
      .then(
        () => reported,
        (error: unknown) =>
          reported.rollout === undefined
            ? reported
            : { ...reported, state: 'failed' as const, code: codeOf(error), detail: reasonOf(error) },
      )
      .then((content) => {
        // There may be a newer report, or none any more.
        if (this.last !== reported) return;
        this.last = content;
        this.publish(content);
      });
  }

  private publish(reported: WrittenReported): void {
    this.published = reported;
    this.send(reported);
    this.onReport?.(reported);
    this.repeatAfter(repeatMs);
  }

  private repeatAfter(ms: number): void {
    this.callOffRepeat();
    this.callOffRepeat = this.port.later(ms, () => {
      this.announce();
      this.resend();
      this.repeatAfter(Math.min(maxRepeatMs, 2 * ms));
    });
  }

  private send(reported: WrittenReported): void {
    this.port.publish(this.topics.reported(this.id), encodeReported(reported), true);
  }

  /** Reports after a restart must have higher numbers: no device reports a hundred times per second. */
  private firstSequence(): number {
    return Math.floor(this.port.now() / 10);
  }
}
