// A simulated device of a fleet: receives what it should run, downloads it, proves it, runs it, and reports each step
// (docs/fleets.md). The slots decide what may be activated, as for every other device.

import { crc32 } from 'node:zlib';
import { hex } from '../../../base/hashes.js';
import { seededRandom } from '../../../base/random.js';
import { distributionOf } from '../../../evaluate/index.js';
import type { Target } from '../../../targets/index.js';
import { fleetTopics } from '../../mqtt/index.js';
import { type Desired, decodeDesired, type ReportedState, type WrittenReported } from '../../protocol/index.js';
import { slotBytesOf } from '../device-state.js';
import { maxBootAttempts, type Slot, Slots } from '../slots.js';
import { codeOf, detailOf } from '../status-error.js';
import { Fetcher } from './fetcher.js';
import type { FleetFault } from './fleet-faults.js';
import type { ImageStore, Ready, SelfTestResult } from './image-store.js';
import { type FaultPoint, InjectedFaults } from './injected-faults.js';
import type { FleetPort } from './port.js';
import { Reporter } from './reporter.js';

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

const settledStates: ReadonlySet<ReportedState> = new Set(['confirmed', 'failed', 'rolled-back']);

export class FleetDevice {
  /** State that survives a restart. */
  readonly slots: Slots;
  /** Called with each report. */
  onReport: ((reported: WrittenReported) => void) | null = null;
  /** Called when a rollout has ended on this device. */
  onSettled: (() => void) | null = null;
  private readonly topics: ReturnType<typeof fleetTopics>;
  private readonly random: () => number;
  private readonly faults: InjectedFaults;
  private readonly reporter: Reporter;
  private readonly fetcher: Fetcher;
  /** The current or last work. */
  private taken: Desired | null = null;
  private dead = false;
  private callOff: () => void = () => undefined;

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
    this.faults = new InjectedFaults(options.faults ?? []);
    this.slots = options.slots ?? new Slots();
    this.reporter = new Reporter(id, this.topics, port, options.keep ?? null);
    this.reporter.onReport = (reported) => {
      this.onReport?.(reported);
      if (settledStates.has(reported.state)) this.onSettled?.();
    };
    this.fetcher = new Fetcher(id, this.topics, port, store, {
      onHalf: () => void this.struck('half-downloaded'),
      onComplete: (desired, image) => this.write(desired, image),
    });
  }

  /** SHA-256 of the running slot image, in hexadecimal; null if none runs. */
  get running(): string | null {
    const { active } = this.slots;
    return active === null ? null : this.store.sha(active.bytes);
  }

  /** Called at the start and after each reconnection. */
  connected(): void {
    if (this.dead) return;
    this.reporter.announce();
    this.port.subscribe(this.topics.desired(this.id));
    this.port.subscribe(this.topics.pulledBlock(this.id));
    if (this.reporter.hasReported) this.reporter.resend();
    else this.reportIdle();
    this.fetcher.resubscribe();
  }

  /** Stops sending and receiving. */
  stop(): void {
    this.dead = true;
    this.abandon();
    this.reporter.stop();
  }

  /** Power cycle: RAM is lost, an unconfirmed model uses up one boot attempt. */
  reboot(): void {
    this.abandon();
    this.slots.boot();
    this.taken = null;
    this.reporter.restart();
    this.connected();
  }

  /** Another model was activated outside of a rollout. */
  changedOtherwise(): void {
    if (!this.dead && !this.fetcher.fetching) this.reportIdle();
  }

  received(topic: string, payload: Uint8Array): void {
    if (this.dead) return;
    if (topic === this.topics.desired(this.id)) this.desire(payload);
    else if (topic === this.topics.pulledBlock(this.id)) this.fetcher.pulled(payload);
    else this.fetcher.retained(topic, payload);
  }

  private desire(payload: Uint8Array): void {
    // An empty message: nothing is desired any more, and the next message is new even if it is the same.
    if (payload.byteLength === 0) return this.desireNothing();
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
    if (this.struck('notified')) return;
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
    this.fetcher.prepare(desired);
    this.report(desired, 'downloading');
    this.step(() => this.fetcher.next());
  }

  private desireNothing(): void {
    if (this.taken === null && this.slots.active?.pending !== true) return;
    this.taken = null;
    this.abandon();
    this.slots.fallBack();
    this.reportIdle();
  }

  private holds(slot: Slot, { sha }: Desired): boolean {
    return slot.bytes.byteLength > 0 && this.store.sha(slot.bytes) === hex(sha);
  }

  private abandon(): void {
    this.callOff();
    this.fetcher.stop();
  }

  private write(desired: Desired, image: Uint8Array | null): void {
    if (image === null) return this.fail(desired, 'HASH_MISMATCH', 'the blocks do not match the announced image');
    const slot = this.slots.inactive;
    try {
      this.slots.erase(slot);
    } catch (error) {
      // Another model was activated meanwhile.
      return this.fail(desired, codeOf(error), detailOf(error));
    }
    slot.bytes = image;
    this.verified(desired, slot);
  }

  private verified(desired: Desired, slot: Slot): void {
    this.report(desired, 'verified');
    if (!this.struck('verified')) this.step(() => this.test(desired, slot));
  }

  private test(desired: Desired, slot: Slot): void {
    const { bytes } = slot;
    this.once(desired, this.store.verdict(bytes), (verdict) =>
      slot.bytes === bytes
        ? this.activate(desired, slot, verdict)
        : this.fail(desired, 'HASH_MISMATCH', 'the slot was overwritten meanwhile'),
    );
  }

  private activate(desired: Desired, slot: Slot, verdict: SelfTestResult): void {
    if (this.struck('self-tested')) return;
    if (verdict.refusal !== null) return this.fail(desired, verdict.refusal.code, verdict.refusal.detail);
    try {
      this.slots.requireCounter(slot, this.store.counter(slot.bytes));
      slot.tested = true;
      if (!this.faults.keepsOldModel) this.slots.activate(slot, verdict.vectors);
    } catch (error) {
      return this.fail(desired, codeOf(error), detailOf(error));
    }
    this.report(desired, 'pending');
    if (!this.struck('activated')) this.step(() => this.prove(desired, this.slots.active ?? slot));
  }

  /** Self-test of the running model, challenge, latency: then it is confirmed. */
  private prove(desired: Desired, slot: Slot): void {
    // It does not have the model that it claims to run.
    const silent = this.faults.keepsOldModel && !slot.active;
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
    const { latencyFactor, accuracyFactor } = this.faults;
    const { median, p95 } = distributionOf(latencies.map((ms) => 1000 * ms * latencyFactor));
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
    this.once(desired, counted, ({ samples, correct }) =>
      this.confirm(desired, slot, { ...measured, samples, correct: Math.floor(accuracyFactor * correct) }),
    );
  }

  private confirm(desired: Desired, slot: Slot, measured: Partial<WrittenReported>): void {
    if (!slot.active && !this.faults.keepsOldModel)
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
        this.fail(desired, codeOf(error), detailOf(error));
      });
  }

  /** Whether a fault strikes here and takes over. */
  private struck(point: FaultPoint): boolean {
    const fault = this.faults.strike(point);
    if (fault === null) return false;
    switch (fault.kind) {
      case 'falls-silent':
        this.stop();
        break;
      case 'stalls':
        this.abandon();
        break;
      case 'loses-power':
        this.abandon();
        this.step(() => this.reboot());
        break;
      case 'boots-fail':
        this.step(() => {
          while (this.slots.active?.pending === true) this.slots.boot();
          this.reboot();
        });
        break;
      case 'refuses':
        if (this.taken !== null) this.fail(this.taken, fault.code, fault.detail);
        break;
    }
    return true;
  }

  private fail(desired: Desired, code: string, detail: string): void {
    this.report(desired, 'failed', { code, detail });
  }

  private reportIdle(): void {
    this.report(null, 'idle');
  }

  private report(desired: Desired | null, state: ReportedState, more: Partial<WrittenReported> = {}): void {
    // A device that lies about its model names the desired one.
    const lies = this.faults.keepsOldModel && state === 'confirmed';
    const named = lies ? this.slots.inactive : this.slots.active;
    const { tags } = this.options;
    this.reporter.report((seq) => ({
      seq,
      target: this.target.id,
      ...(tags === undefined ? {} : { tags }),
      state,
      ...(desired === null ? {} : { rollout: desired.rollout, attempt: desired.attempt, sha: desired.sha }),
      ...(named === null ? {} : { model: this.store.model(named.bytes) }),
      ...more,
    }));
  }

  private step(next: () => void): void {
    this.callOff();
    this.callOff = this.port.later(1 + this.random() * maxStepMs, next);
  }
}
