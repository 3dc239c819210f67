// The decisions of a rollout, without clock, network or disk. Reports, time and user commands go in; changed records
// and events come out. It is deterministic, and an engine created from the records continues where the previous one
// stopped.

import { defined, elementAt } from '../base/checked.js';
import type { DeviceMeasurements, Gate, Judgement } from './gates.js';
import {
  type Deadlines,
  type DevicePhase,
  type DeviceRecord,
  plannedState,
  type RolloutEvent,
  type RolloutState,
  timedPhases,
  waitingDevice,
} from './records.js';
import { inFlightPhases, WaveCount } from './wave-count.js';

export interface RolloutSetup {
  /** Number of devices in the wave. */
  readonly waves: number;
  readonly gates: readonly Gate[];
  readonly deadlines: Deadlines;
  /** Maximum number of devices in flight. */
  readonly concurrency: number;
  /** Minimum time between two notifications, to limit the download rate; 0 for none. */
  readonly paceMs: number;
}

/** A report from a device, and whether it was verified. */
export interface DeviceReport {
  readonly seq: number;
  /** The device has restarted its sequence numbers: a lower number is not an older report. */
  readonly restarted?: boolean;
  readonly attempt: number;
  /** Whether the report is about the new bundle or about the previous one. */
  readonly about: 'new' | 'old';
  readonly state: 'downloading' | 'verified' | 'pending' | 'confirmed' | 'failed' | 'rolled-back';
  readonly code: string | null;
  /** The device runs what it reports: the model's hash and the answer to the challenge are correct. */
  readonly proved: boolean;
  readonly measured: DeviceMeasurements;
}

export interface Changes {
  readonly devices: readonly DeviceRecord[];
  readonly events: readonly RolloutEvent[];
}

/** Number of devices by phase; phases without devices are absent. */
export type PhaseCounts = Readonly<Partial<Record<DevicePhase, number>>>;

const retried: ReadonlySet<DevicePhase> = new Set(['failed', 'unknown', 'rolled-back']);
/** Events for the log. */
const notable: ReadonlySet<DevicePhase> = new Set(['failed', 'unknown', 'rolled-back', 'removed']);
/** Error code for a device that reports "confirmed" but fails the challenge. */
const unprovedCode = 'CHALLENGE';
/** Burst allowed after an idle period. */
const paceBurstMs = 1000;

export class RolloutEngine {
  private readonly devices = new Map<string, DeviceRecord>();
  /**
   * Ids that wait, by wave, and how many of the current wave were already taken: removing the first element of a long
   * array is slow.
   */
  private readonly queue: string[][];
  private head = 0;
  /** Ids that must go back to the previous model. */
  private readonly back: string[] = [];
  private readonly busy = new Set<string>();
  private readonly countsOf: Partial<Record<DevicePhase, number>>[];
  private nextPlace = 0;
  private nextNotifyAt = 0;
  private windowOpen = true;
  private count: WaveCount;
  private readonly changed = new Set<string>();
  private events: RolloutEvent[] = [];

  /** @param records of all devices, in the order of their places */
  constructor(
    private readonly setup: RolloutSetup,
    records: Iterable<DeviceRecord>,
    private current: RolloutState = plannedState,
  ) {
    this.count = new WaveCount(setup.gates);
    this.queue = Array.from({ length: setup.waves }, () => []);
    this.countsOf = Array.from({ length: setup.waves }, () => ({}));
    for (const record of records) {
      const { id, wave, place, phase } = record;
      this.devices.set(id, record);
      this.countPhase(record, 1);
      this.nextPlace = Math.max(this.nextPlace, place + 1);
      if (inFlightPhases.has(phase)) this.busy.add(id);
      if (phase === 'returning') this.back.push(id);
      // A retried device rejoins the current wave.
      if (phase === 'waiting') this.queue[Math.max(wave, current.wave)]?.push(id);
    }
    if (current.phase !== 'planned') this.countWave();
  }

  get state(): RolloutState {
    return this.current;
  }

  get inFlightCount(): number {
    return this.busy.size;
  }

  /** Number of devices, without those that were deleted from the fleet. */
  get size(): number {
    return this.devices.size - this.countsOf.reduce((sum, { removed = 0 }) => sum + removed, 0);
  }

  device(id: string): DeviceRecord | null {
    return this.devices.get(id) ?? null;
  }

  all(): Iterable<DeviceRecord> {
    return this.devices.values();
  }

  /** Ids of the devices in flight. */
  inFlight(): Iterable<string> {
    return this.busy;
  }

  /** Number of devices by wave and phase. */
  counts(): readonly PhaseCounts[] {
    return this.countsOf.map((counts) => ({ ...counts }));
  }

  /** The gates' judgements of the current wave, in their order; for a rollout that they stopped, those at that time. */
  judgements(): readonly Judgement[] {
    return this.current.verdict ?? this.count.judge();
  }

  /** Changes since the last call. */
  drain(): Changes {
    const devices = Array.from(this.changed, (id) => defined(this.devices.get(id)));
    const { events } = this;
    this.changed.clear();
    this.events = [];
    return { devices, events };
  }

  /**
   * Starts the rollout or resumes it after a pause. If a gate paused it, the wave is judged again with current data.
   */
  resume(now: number): void {
    const { phase } = this.current;
    if (phase !== 'planned' && phase !== 'paused') return;
    if (phase === 'planned') this.beginWave();
    this.enter({ phase: 'running', reason: '', by: null });
    this.advance(now);
  }

  /** Continues past the wave at which a gate paused the rollout, and ignores that wave's gates. */
  overrule(now: number): void {
    const { phase, by, wave } = this.current;
    if (phase !== 'paused' || by !== 'gate') return;
    this.enter({ phase: 'running', reason: '', by: null, overruled: wave });
    this.advance(now);
  }

  /** Pauses: no new device is notified; devices in flight continue. */
  pause(reason: string): void {
    if (this.current.phase === 'running') this.enter({ phase: 'paused', reason, by: 'user' });
  }

  /**
   * Devices that have not finished are called back. @param rollBack confirmed devices go back to their previous model
   */
  abort(reason: string, rollBack: boolean, now: number): void {
    this.stop(reason, 'user', rollBack);
    this.advance(now);
  }

  /**
   * Retries devices that failed or did not answer, as part of the current wave. A finished rollout starts again for
   * them; a paused one retries them when it is resumed. The gates judge again.
   */
  retry(ids: Iterable<string>, now: number): void {
    const { phase, wave } = this.current;
    if (phase === 'stopped' || phase === 'rolling-back') return;
    for (const id of ids) {
      const record = this.devices.get(id);
      if (record === undefined || !retried.has(record.phase)) continue;
      this.change({ ...record, phase: 'waiting', since: now, place: this.nextPlace++ });
      this.queue[wave]?.push(id);
      // The overruled verdict does not apply to the retry.
      this.current = { ...this.current, overruled: -1 };
    }
    this.goOn(now);
  }

  /** A device was deleted from the fleet: if it is not confirmed, the rollout goes on without it. */
  remove(id: string, now: number): void {
    const record = this.devices.get(id);
    if (record === undefined || record.phase === 'confirmed' || record.phase === 'removed') return;
    this.change({ ...record, phase: 'removed', since: now, desired: 'nothing', published: true });
    this.advance(now);
  }

  /** Adds a device that was not part of the rollout, or was removed from it, to the last wave. */
  join(id: string, before: DeviceMeasurements, now: number): void {
    const known = this.devices.get(id);
    if (
      (known !== undefined && known.phase !== 'removed') ||
      this.current.phase === 'stopped' ||
      this.current.phase === 'rolling-back'
    )
      return;
    const record = {
      ...waitingDevice(id, this.setup.waves - 1, this.nextPlace++, before),
      attempt: known?.attempt ?? 0,
    };
    if (known !== undefined) this.countPhase(known, -1);
    this.devices.set(id, record);
    this.countPhase(record, 1);
    this.changed.add(id);
    this.queue[record.wave]?.push(id);
    if (record.wave === this.current.wave && this.current.phase !== 'planned') this.count.add(record);
    this.events.push({ kind: 'joined', id });
    this.goOn(now);
  }

  /** Takes a report. Outdated reports, and those from before the device was last notified, change nothing. */
  report(id: string, report: DeviceReport, now: number): void {
    const record = this.devices.get(id);
    if (
      record === undefined ||
      record.phase === 'waiting' ||
      record.phase === 'returning' ||
      report.attempt !== record.attempt
    )
      return;
    if (report.seq <= record.seq && report.restarted !== true) return;
    const { phase, code } = believed(report);
    const measured = phase === 'confirmed' || phase === 'rolled-back' ? report.measured : record.measured;
    const heard = { ...record, seq: report.seq };
    // For a withdrawn device only the final state matters; a device that has gone back reports its previous model.
    if (record.desired === 'old') {
      if (report.about !== 'old') this.change(heard);
      else
        this.change({
          ...heard,
          ...(phase === 'confirmed' ? { phase: 'rolled-back', code } : { phase, code }),
          since: sinceOf(record, phase, now),
        });
    } else if (report.about !== 'new') this.change(heard);
    // The device still works on what was withdrawn: it has not received the message.
    else if (record.desired === 'nothing' && inFlightPhases.has(phase)) this.change({ ...heard, published: false });
    else {
      this.change({ ...heard, phase, code, measured, since: sinceOf(record, phase, now) });
      if (this.current.phase === 'rolling-back' && phase === 'confirmed') this.rollBack(id);
    }
    this.advance(now);
  }

  /** The broker has acknowledged the `desired` message of this attempt. */
  markPublished(id: string, attempt: number, wants: DeviceRecord['desired']): void {
    const record = this.devices.get(id);
    if (record?.attempt === attempt && record.desired === wants && !record.published)
      this.change({ ...record, published: true });
  }

  /** The broker has lost the `desired` message. */
  republish(id: string): void {
    const record = this.devices.get(id);
    if (record !== undefined) this.change({ ...record, published: false });
  }

  /** Opens or closes the maintenance window. */
  openWindow(open: boolean): void {
    this.windowOpen = open;
  }

  /** Advances the time. */
  tick(now: number): void {
    for (const id of this.busy) {
      const record = defined(this.devices.get(id));
      const phase = timedPhases.find((one) => one === record.phase);
      if (phase !== undefined && now - record.since > this.setup.deadlines[phase])
        this.change({ ...record, phase: 'unknown', since: now });
    }
    this.advance(now);
  }

  private change(record: DeviceRecord): void {
    const { id, wave, phase, code } = record;
    const before = defined(this.devices.get(id));
    this.devices.set(id, record);
    this.changed.add(id);
    if (inFlightPhases.has(phase)) this.busy.add(id);
    else this.busy.delete(id);
    if (before.phase !== phase) {
      this.countPhase(before, -1);
      this.countPhase(record, 1);
      if (notable.has(phase)) this.events.push({ kind: 'device', id, phase, code });
    }
    if (wave === this.current.wave) this.count.replace(before, record);
  }

  private countPhase({ wave, phase }: DeviceRecord, by: 1 | -1): void {
    const counts = this.countsOf[wave] ?? {};
    counts[phase] = (counts[phase] ?? 0) + by;
    if (counts[phase] === 0) delete counts[phase];
  }

  private goOn(now: number): void {
    if (this.current.phase === 'done' && this.head < (this.queue[this.current.wave]?.length ?? 0))
      this.enter({ phase: 'running', reason: '', by: null });
    this.advance(now);
  }

  private advance(now: number): void {
    while (this.current.phase === 'running') {
      // Judge first: devices that have failed may be reason to notify no more.
      const passed = this.passes(now);
      if (this.state.phase !== 'running') return;
      const queue = this.queue[this.current.wave] ?? [];
      while (this.head < queue.length && this.mayNotify(now))
        this.notify(elementAt(queue, this.head++), 'waiting', 'new', now);
      // Retried devices belong to earlier waves; the rollout waits for them at the end.
      if (!passed || this.head < queue.length) return;
      if (this.current.wave + 1 < this.setup.waves) {
        this.current = { ...this.current, wave: this.current.wave + 1 };
        this.head = 0;
        this.beginWave();
      } else if (this.busy.size > 0) return;
      else this.enter({ phase: 'done', reason: '', by: null });
    }
    if (this.current.phase !== 'rolling-back') return;
    while (this.back.length > 0 && this.mayNotify(now)) this.notify(defined(this.back.pop()), 'returning', 'old', now);
    if (this.back.length === 0 && this.busy.size === 0) this.enter({ phase: 'stopped' });
  }

  private mayNotify(now: number): boolean {
    return (
      this.windowOpen &&
      this.busy.size < this.setup.concurrency &&
      (this.current.phase === 'rolling-back' || now >= this.nextNotifyAt)
    );
  }

  /** @param phase in which the device was queued: one that was removed since is skipped */
  private notify(id: string, phase: 'waiting' | 'returning', desired: 'new' | 'old', now: number): void {
    const record = defined(this.devices.get(id));
    if (record.phase !== phase) return;
    this.nextNotifyAt = Math.max(this.nextNotifyAt, now - paceBurstMs) + this.setup.paceMs;
    this.change({
      ...record,
      phase: 'notified',
      since: now,
      code: null,
      attempt: record.attempt + 1,
      desired,
      published: false,
    });
  }

  /** Whether the next wave may begin. Pauses or stops the rollout if a gate says so. */
  private passes(now: number): boolean {
    if (this.current.overruled === this.current.wave) return this.count.open === 0;
    if (this.count.size === 0 && this.setup.gates.length > 0) return this.passesEmpty();
    const judgements = this.count.judge();
    for (const [g, gate] of this.setup.gates.entries()) {
      const { decision, bad, measured } = elementAt(judgements, g);
      if (decision === 'pass' || decision === 'wait' || gate.action === 'next') continue;
      const chance = decision === 'undecided' ? ', which may be due to chance' : '';
      const reason =
        `gate ${g + 1}, ${gate.measure}: ${bad} of ${measured} bad ` + `in wave ${this.current.wave + 1}${chance}`;
      // People decide what is uncertain.
      if (decision === 'undecided' || gate.action === 'pause') this.enter({ phase: 'paused', reason, by: 'gate' });
      else {
        this.stop(reason, 'gate', gate.action === 'roll-back');
        this.advance(now);
      }
      return false;
    }
    return this.count.open === 0;
  }

  /** A wave whose devices were all deleted says nothing about the bundle: people decide whether the next one begins. */
  private passesEmpty(): boolean {
    if (this.current.wave + 1 === this.setup.waves) return true;
    this.enter({
      phase: 'paused',
      reason: `wave ${this.current.wave + 1} has no devices left to judge`,
      by: 'gate',
    });
    return false;
  }

  private stop(reason: string, by: 'user' | 'gate', rollBack: boolean): void {
    const { phase } = this.current;
    if (phase === 'stopped' || phase === 'rolling-back' || (phase === 'done' && !rollBack)) return;
    const verdict = by === 'gate' ? this.judgements() : null;
    for (const record of this.devices.values()) {
      if (record.desired === 'nothing' || (record.phase === 'confirmed' && !rollBack)) continue;
      if (rollBack && mayRunNew(record)) this.rollBack(record.id);
      else
        this.change({
          ...record,
          ...(inFlightPhases.has(record.phase) ? { phase: 'withdrawn' } : {}),
          desired: 'nothing',
          published: false,
        });
    }
    // The previous bundle must be at the broker before devices are notified.
    if (rollBack) this.windowOpen = false;
    this.enter({ phase: rollBack ? 'rolling-back' : 'stopped', reason, by, verdict });
  }

  private rollBack(id: string): void {
    this.back.push(id);
    this.change({ ...defined(this.devices.get(id)), phase: 'returning' });
  }

  private enter(changes: Partial<RolloutState>): void {
    this.current = { ...this.current, ...changes };
    const { phase, reason, by } = this.current;
    this.events.push({ kind: 'phase', phase, reason, by });
  }

  private beginWave(): void {
    this.countWave();
    this.events.push({ kind: 'wave', wave: this.current.wave, devices: this.count.size });
  }

  private countWave(): void {
    this.count = new WaveCount(this.setup.gates);
    for (const record of this.devices.values()) if (record.wave === this.current.wave) this.count.add(record);
  }
}

/** A device that reports "confirmed" with another model or a wrong answer has failed. */
function believed({ state, code, proved }: DeviceReport): {
  phase: Exclude<DevicePhase, 'waiting'>;
  code: string | null;
} {
  return state === 'confirmed' && !proved ? { phase: 'failed', code: unprovedCode } : { phase: state, code };
}

/** Devices that were notified, except those that reported that their previous model is still running. */
function mayRunNew({ phase, code }: DeviceRecord): boolean {
  return phase !== 'rolled-back' && !(phase === 'failed' && code !== unprovedCode);
}

function sinceOf(record: DeviceRecord, phase: DevicePhase, now: number): number {
  return phase === record.phase ? record.since : now;
}
