// A simulated device of a fleet: receives what it should run, downloads it, proves it, runs it, and reports each step
// (docs/fleets.md). Time and messages come from a port, so that a fleet can run at a broker or in virtual time.

import { crc32 } from 'node:zlib';
import { AtollError, reasonOf } from '../../../base/errors.js';
import { equalBytes } from '../../../base/hashes.js';
import { seededRandom } from '../../../base/random.js';
import { distributionOf } from '../../../evaluate/index.js';
import type { Target } from '../../../targets/index.js';
import { fleetTopics, presence } from '../../mqtt/index.js';
import {
  type Desired,
  decodeBlock,
  decodeDesired,
  encodeBlockRequest,
  encodeReported,
  type ReportedState,
  segmentBlocks,
  statusName,
  type WrittenReported,
} from '../../protocol/index.js';
import { slotBytesOf } from '../device-state.js';
import { maxBootAttempts, type Slot, Slots } from '../slots.js';
import { StatusError } from '../status-error.js';
import { Download } from './download.js';
import type { FleetFault } from './fleet-faults.js';
import type { ImageStore, Ready, SelfTestResult } from './image-store.js';

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

export interface FleetDeviceOptions {
  readonly seed: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly faults?: readonly FleetFault[];
  /** Existing content of flash; empty slots by default. */
  readonly slots?: Slots;
  /** Saves flash if it has changed; called before each report. */
  readonly keep?: () => Promise<void>;
}

/** Number of inferences for a reported latency. */
const measuredRuns = 30;
/** Maximum time for erasing, testing and starting a model, each. */
const maxStepMs = 200;
/** Timeout for a segment, which is then fetched again: from the retained messages, or by a request. */
const segmentTimeoutMs = 15_000;
/**
 * The last report is repeated after this time, and then after twice as long each time: the broker may not have kept it.
 */
const repeatMs = 30_000;
const maxRepeatMs = 86_400_000;

export class FleetDevice {
  /** State that survives a restart. */
  readonly slots: Slots;
  /** Called with each report. */
  onReport: ((reported: WrittenReported) => void) | null = null;
  /** Called when a rollout has ended on this device. */
  onSettled: (() => void) | null = null;
  private readonly topics: ReturnType<typeof fleetTopics>;
  private readonly random: () => number;
  private readonly faults: Set<FleetFault>;
  /** The current or last work. */
  private taken: Desired | null = null;
  private download: Download | null = null;
  private subscribed: string | null = null;
  /** Segments in a row that timed out; blocks are then requested. */
  private failedAttempts = 0;
  private sequence: number;
  private last: WrittenReported | null = null;
  /** The last report that was sent; one that is still being saved does not count. */
  private lastPublished: WrittenReported | null = null;
  private dead = false;
  private callOff: () => void = () => undefined;
  private callOffRepeat: () => void = () => undefined;

  constructor(
    readonly id: string,
    fleet: string,
    private readonly target: Target,
    private readonly port: FleetPort,
    private readonly store: ImageStore,
    private readonly options: FleetDeviceOptions,
  ) {
    this.topics = fleetTopics(fleet);
    this.random = seededRandom(options.seed);
    this.faults = new Set(options.faults ?? []);
    this.slots = options.slots ?? new Slots();
    this.sequence = this.firstSequence();
  }

  /** SHA-256 of the running slot image, in hexadecimal; null if none runs. */
  get running(): string | null {
    const { active } = this.slots;
    return active === null ? null : this.store.sha(active.bytes);
  }

  /** Called at the start and after each reconnection. */
  connected(): void {
    if (this.dead) return;
    this.publishAlive();
    this.port.subscribe(this.topics.desired(this.id));
    this.port.subscribe(this.topics.pulledBlock(this.id));
    // The last report may not have arrived.
    if (this.last === null) this.reportIdle();
    else if (this.lastPublished !== null) this.send(this.lastPublished);
    if (this.subscribed !== null) this.port.subscribe(this.subscribed);
  }

  /** Stops sending and receiving. */
  stop(): void {
    this.callOff();
    this.callOffRepeat();
    this.download = null;
    this.dead = true;
  }

  /** Power cycle: RAM is lost, an unconfirmed model uses up one boot attempt. */
  reboot(): void {
    this.abandon();
    this.callOffRepeat();
    this.slots.boot();
    this.taken = null;
    this.last = null;
    this.lastPublished = null;
    this.sequence = this.firstSequence();
    this.connected();
  }

  /** Another model was activated outside of a rollout. */
  changedOtherwise(): void {
    if (!this.dead && this.download === null) this.reportIdle();
  }

  received(topic: string, payload: Uint8Array): void {
    if (this.dead) return;
    if (topic === this.topics.desired(this.id)) this.desire(payload);
    else if (topic === this.topics.pulledBlock(this.id)) this.takePulled(payload);
    else this.takeRetained(topic, payload);
  }

  private desire(payload: Uint8Array): void {
    // An empty message: nothing is desired any more, and the next message is new even if it is the same.
    if (payload.byteLength === 0) {
      if (this.taken === null && this.slots.active?.pending !== true) return;
      this.taken = null;
      this.abandon();
      this.slots.fallBack();
      return this.reportIdle();
    }
    let desired: Desired;
    try {
      desired = decodeDesired(payload);
    } catch {
      // It names no rollout to report to.
      return;
    }
    const { taken } = this;
    // A repetition, since brokers may repeat messages; or an outdated message of another agent.
    if (taken?.rollout === desired.rollout && desired.attempt <= taken.attempt) return;
    if (this.faults.has('dies-notified')) return this.stop();
    this.abandon();
    this.taken = desired;
    if (desired.len > slotBytesOf(this.target))
      return this.fail(desired, 'IMAGE_TOO_LARGE', `${desired.len} bytes do not fit into a slot`);
    const { active } = this.slots;
    // A model that already runs needs no download, but must be proved.
    if (active !== null && this.holds(active, desired)) return this.step(() => this.prove(desired, active));
    // An unconfirmed model gives way to what is desired now.
    this.slots.fallBack();
    const { inactive } = this.slots;
    const there = this.holds(inactive, desired);
    // It was given up before this start, since it did not survive its boots.
    if (there && taken === null && inactive.attempts >= maxBootAttempts)
      return this.report(desired, 'rolled-back', { code: 'BOOT_ATTEMPTS' });
    if (desired.deadline !== undefined && this.port.now() > 1000 * desired.deadline)
      return this.fail(desired, 'DEADLINE', 'the deadline has passed');
    if (there) return this.verified(desired, inactive);
    this.download = new Download(desired, this.store);
    this.report(desired, 'downloading');
    this.step(() => this.fetchNext());
  }

  private holds(slot: Slot, { sha }: Desired): boolean {
    return slot.bytes.byteLength > 0 && this.store.sha(slot.bytes) === Buffer.from(sha).toString('hex');
  }

  private abandon(): void {
    this.callOff();
    this.download = null;
    this.failedAttempts = 0;
    if (this.subscribed !== null) this.port.unsubscribe(this.subscribed);
    this.subscribed = null;
  }

  private fetchNext(): void {
    const { download } = this;
    if (download === null) return;
    if (this.subscribed !== null) this.port.unsubscribe(this.subscribed);
    this.subscribed = null;
    const { segment, desired, blocks } = download;
    // If the broker retains no blocks, request them from the agent.
    if (desired.pull === true || this.failedAttempts % 2 === 1) {
      const from = segment * segmentBlocks;
      const request = encodeBlockRequest({ sha: desired.sha, from, n: Math.min(segmentBlocks, blocks - from) });
      this.port.publish(this.topics.blockRequest(this.id), request, false);
    } else {
      this.subscribed = this.topics.segment(download.sha, segment);
      this.port.subscribe(this.subscribed);
    }
    this.callOff();
    this.callOff = this.port.later(segmentTimeoutMs, () => {
      this.failedAttempts += 1;
      this.fetchNext();
    });
  }

  private takeRetained(topic: string, payload: Uint8Array): void {
    const { download } = this;
    if (download === null) return;
    const n = Number(topic.slice(topic.lastIndexOf('/') + 1));
    if (topic === this.topics.block(download.sha, Math.floor(n / segmentBlocks), n))
      this.takeBlock(download, n, payload);
  }

  private takePulled(payload: Uint8Array): void {
    const { download } = this;
    if (download === null) return;
    try {
      const { sha, n, data } = decodeBlock(payload);
      if (equalBytes(sha, download.desired.sha)) this.takeBlock(download, n, data);
    } catch {
      // Not a valid block: missing blocks are requested again.
    }
  }

  private takeBlock(download: Download, n: number, payload: Uint8Array): void {
    const before = download.segment;
    if (!download.take(n, payload)) return;
    const half = download.received > download.blocks / 2;
    if (half && this.faults.has('dies-downloading')) return this.stop();
    if (half && this.faults.has('stuck-download')) return this.abandon();
    if (half && this.faults.delete('reboots-downloading')) return this.reboot();
    if (download.complete) this.finish(download);
    else if (download.segment !== before) {
      this.failedAttempts = 0;
      this.fetchNext();
    }
  }

  private finish(download: Download): void {
    const { desired } = download;
    this.abandon();
    const image = download.image();
    if (image === null) return this.fail(desired, 'HASH_MISMATCH', 'the blocks do not match the announced image');
    const slot = this.slots.inactive;
    try {
      this.slots.erase(slot);
    } catch (error) {
      // Another model was activated meanwhile.
      return this.fail(desired, codeOf(error), reasonOf(error));
    }
    slot.bytes = image;
    this.verified(desired, slot);
  }

  private verified(desired: Desired, slot: Slot): void {
    this.report(desired, 'verified');
    if (this.faults.has('dies-verified')) return this.stop();
    this.step(() => this.test(desired, slot));
  }

  private test(desired: Desired, slot: Slot): void {
    const { bytes } = slot;
    this.once(desired, this.store.verdict(bytes), (verdict) =>
      slot.bytes === bytes
        ? this.judged(desired, slot, verdict)
        : this.fail(desired, 'HASH_MISMATCH', 'the slot was overwritten meanwhile'),
    );
  }

  private judged(desired: Desired, slot: Slot, verdict: SelfTestResult): void {
    if (this.faults.has('bad-signature'))
      return this.fail(desired, 'SIGNATURE_INVALID', 'the signature is not from a key of this device');
    if (this.faults.has('wrong-result'))
      return this.fail(desired, 'SELF_TEST_FAILED', `${verdict.vectors} of ${verdict.vectors} vectors`);
    if (verdict.refusal !== null) return this.fail(desired, verdict.refusal.code, verdict.refusal.detail);
    const counter = this.store.counter(slot.bytes);
    const { floor } = this.slots;
    if (counter < floor)
      return this.fail(desired, 'COUNTER_TOO_LOW', `the image has counter ${counter}; the minimum is ${floor}`);
    slot.tested = true;
    if (!this.faults.has('still-old')) this.slots.activate(slot);
    this.report(desired, 'pending');
    if (this.faults.has('dies-pending')) return this.stop();
    if (this.faults.delete('reboots-pending')) return this.step(() => this.reboot());
    if (this.faults.has('falls-back')) return this.step(() => this.fallBack());
    this.step(() => this.prove(desired, this.slots.active ?? slot));
  }

  /** It reboots repeatedly, and only afterwards runs long enough to receive messages. */
  private fallBack(): void {
    while (this.slots.active?.pending === true) this.slots.boot();
    this.reboot();
  }

  /** Self-test of the running model, challenge, latency: then it is confirmed. */
  private prove(desired: Desired, slot: Slot): void {
    // It does not have the model that it claims to run.
    const silent = this.faults.has('still-old') && !slot.active;
    this.once(desired, this.store.verdict(slot.bytes), (verdict) =>
      this.once(desired, this.store.latencies(slot.bytes, measuredRuns, this.random), (latencies) =>
        this.once(desired, silent ? null : this.store.challenge(slot.bytes, desired.seed), (outputs) =>
          this.proved(desired, slot, verdict, latencies, outputs),
        ),
      ),
    );
  }

  private proved(
    desired: Desired,
    slot: Slot,
    verdict: SelfTestResult,
    latencies: readonly number[],
    outputs: Uint8Array | null,
  ): void {
    const slowness = this.faults.has('slow') ? 3 : 1;
    const { median, p95 } = distributionOf(latencies.map((ms) => 1000 * ms * slowness));
    const measured = {
      vectors: verdict.vectors,
      failed: verdict.failed,
      arena: verdict.arenaBytes,
      runs: measuredRuns,
      median_us: Math.max(1, Math.round(median)),
      p95_us: Math.max(1, Math.round(p95)),
      ...(outputs === null ? {} : { crc: crc32(outputs) }),
      ...(outputs === null || desired.outputs !== true ? {} : { outputs: outputs.subarray(0, verdict.reportedBytes) }),
    };
    const counted = this.store.accuracy(slot.bytes);
    if (counted === null) return this.confirm(desired, slot, measured);
    this.once(desired, counted, ({ samples, correct }) => {
      const right = this.faults.has('inaccurate') ? Math.floor(0.75 * correct) : correct;
      this.confirm(desired, slot, { ...measured, samples, correct: right });
    });
  }

  private confirm(desired: Desired, slot: Slot, measured: Partial<WrittenReported>): void {
    if (!slot.active && !this.faults.has('still-old'))
      return this.fail(desired, 'HASH_MISMATCH', 'another model was activated meanwhile');
    if (slot.active) this.slots.confirmActive(this.store.counter(slot.bytes));
    this.report(desired, 'confirmed', measured);
  }

  /** Continues when an image is available, unless something else is desired by then; at once if it already is. */
  private once<Value>(desired: Desired, value: Ready<Value>, next: (value: Value) => void): void {
    if (!(value instanceof Promise)) return next(value);
    const isStill = (): boolean => !this.dead && this.taken === desired;
    this.port.wake();
    value
      .then((there) => isStill() && next(there))
      // The engine fails, or fails with this model: the previous model keeps running.
      .catch((error: unknown) => {
        if (!isStill()) return;
        this.slots.fallBack();
        this.fail(desired, codeOf(error), reasonOf(error));
      });
  }

  private fail(desired: Desired, code: string, detail: string): void {
    this.report(desired, 'failed', { code, detail });
  }

  private reportIdle(): void {
    this.report(null, 'idle');
  }

  private report(desired: Desired | null, state: ReportedState, more: Partial<WrittenReported> = {}): void {
    // A lying device reports a wrong model too.
    const lies = this.faults.has('still-old') && state === 'confirmed';
    const told = lies ? this.slots.inactive : this.slots.active;
    const model = told === null ? {} : { model: this.store.model(told.bytes) };
    // Follow a clock that was set meanwhile.
    this.sequence = Math.max(this.sequence + 1, this.firstSequence());
    const about = desired === null ? {} : { rollout: desired.rollout, attempt: desired.attempt, sha: desired.sha };
    const { tags } = this.options;
    const reported = {
      seq: this.sequence,
      target: this.target.id,
      ...(tags === undefined ? {} : { tags }),
      state,
      ...about,
      ...model,
      ...more,
    };
    this.last = reported;
    const { keep } = this.options;
    if (keep === undefined) this.publishReport(reported);
    else this.sayKept(reported, keep());
  }

  /** Report nothing that a restart would not find in flash. */
  private sayKept(reported: WrittenReported, kept: Promise<void>): void {
    this.port.wake();
    kept
      .then(
        () => reported,
        (error: unknown) =>
          reported.rollout === undefined
            ? reported
            : { ...reported, state: 'failed' as const, code: codeOf(error), detail: reasonOf(error) },
      )
      .then((said) => {
        // There may be a newer report.
        if (this.dead || this.last !== reported) return;
        this.last = said;
        this.publishReport(said);
      });
  }

  private publishReport(reported: WrittenReported): void {
    this.lastPublished = reported;
    this.send(reported);
    this.onReport?.(reported);
    this.repeatAfter(repeatMs);
    if (reported.state === 'confirmed' || reported.state === 'failed' || reported.state === 'rolled-back')
      this.onSettled?.();
  }

  private repeatAfter(ms: number): void {
    this.callOffRepeat();
    this.callOffRepeat = this.port.later(ms, () => {
      this.publishAlive();
      if (this.lastPublished !== null) this.send(this.lastPublished);
      this.repeatAfter(Math.min(maxRepeatMs, 2 * ms));
    });
  }

  private publishAlive(): void {
    this.port.publish(this.topics.alive(this.id), presence.online, true);
  }

  private send(reported: WrittenReported): void {
    this.port.publish(this.topics.reported(this.id), encodeReported(reported), true);
  }

  private step(next: () => void): void {
    this.callOff();
    this.callOff = this.port.later(1 + this.random() * maxStepMs, next);
  }

  /** Reports after a restart must have higher numbers: no device reports a hundred times per second. */
  private firstSequence(): number {
    return Math.floor(this.port.now() / 10);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof StatusError) return statusName(error.group, error.rc);
  return error instanceof AtollError ? error.code : 'INTERNAL';
}
