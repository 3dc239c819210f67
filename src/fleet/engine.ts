// The heart of a rollout, without clock, network or disk: what happens goes in (reports, time, a user's word), what is to be done comes out. The same events
// in the same order give the same commands, so that a rollout can be taken up again from what was written down of it.

import { hex } from '../bundle/index.js';
import type { Reported } from '../protocol/index.js';
import { type Gate, type Judgement, type Outcome, Tally } from './gates.js';

/** `waiting`: not told yet. `unknown`: it was told, and has not been heard of within its time. */
export type DevicePhase = 'waiting' | 'told' | 'downloading' | 'verified' | 'pending' | 'confirmed' | 'failed' | 'rolled-back' | 'unknown';
/** `stopped`: nobody is told any more, and who was under way is called back. */
export type RolloutPhase = 'running' | 'paused' | 'stopped' | 'done';

/** Milliseconds that a device may spend in a phase. */
export type Deadlines = Readonly<Record<'told' | 'downloading' | 'verified' | 'pending', number>>;

export interface RolloutSetup {
  readonly rollout: string;
  /** Ids of devices, wave by wave. */
  readonly waves: readonly (readonly string[])[];
  readonly gates: readonly Gate[];
  readonly deadlines: Deadlines;
  /** Devices that may be under way at once. */
  readonly concurrency: number;
  /** SHA-256 of the model, in hexadecimal, and the answer to the challenge: a device that has others does not run it. */
  readonly model: string;
  readonly challenge: number;
  /** 95th percentiles in milliseconds under the model before, by id, where they are known. */
  readonly before: ReadonlyMap<string, number>;
}

export type Command =
  /** Tell a device what to run; take it back; have it run again what it ran before. */
  | { readonly kind: 'desire' | 'withdraw' | 'roll-back'; readonly id: string }
  | { readonly kind: 'phase'; readonly phase: RolloutPhase; readonly reason: string }
  | { readonly kind: 'wave'; readonly wave: number; readonly devices: number };

export interface DeviceRecord {
  readonly wave: number;
  readonly phase: DevicePhase;
  /** When it came into this phase. */
  readonly since: number;
  /** Of the last report that was taken. */
  readonly seq: number;
  readonly code: string | null;
  readonly p95Ms: number | null;
}

const timed = ['told', 'downloading', 'verified', 'pending'] as const;
const underWay: ReadonlySet<DevicePhase> = new Set(timed);

export class RolloutEngine {
  phase: RolloutPhase = 'paused';
  /** The wave that is under way, from 0 on. */
  wave = 0;
  /** Why it is paused or stopped. */
  reason = 'not started';
  private readonly devices = new Map<string, DeviceRecord>();
  /** Ids to be told, wave by wave, and how many of the wave under way have been: arrays lose their first entries slowly. */
  private readonly queue: string[][];
  private head = 0;
  /** Wave whose gates a user has waved through. */
  private overruled = -1;
  private readonly busy = new Set<string>();
  /** Of the wave that is under way: how many devices are not through, and what each gate makes of them. */
  private open = 0;
  private tallies: Tally[] = [];
  private commands: Command[] = [];

  constructor(private readonly setup: RolloutSetup) {
    this.queue = setup.waves.map((ids) => [...ids]);
    for (const [wave, ids] of setup.waves.entries())
      for (const id of ids) this.devices.set(id, { wave, phase: 'waiting', since: 0, seq: 0, code: null, p95Ms: null });
  }

  device(id: string): DeviceRecord | null {
    return this.devices.get(id) ?? null;
  }

  /** How many devices of a wave, or of all, are in each phase. */
  counts(wave: number | null = null): Partial<Record<DevicePhase, number>> {
    const counts: Partial<Record<DevicePhase, number>> = {};
    for (const { wave: of, phase } of this.devices.values()) if (wave === null || of === wave) counts[phase] = (counts[phase] ?? 0) + 1;
    return counts;
  }

  /** Begins, or goes on after a pause; where a gate has paused it, its verdict on this wave is overruled. */
  resume(now: number): Command[] {
    return this.during(() => {
      if (this.phase !== 'paused') return;
      if (this.reason.startsWith('gate')) this.overruled = this.wave;
      if (this.reason === 'not started') this.beginWave();
      this.enter('running', '');
      this.advance(now);
    });
  }

  /** Nobody new is told; who is under way goes on. */
  pause(reason = 'by the user'): Command[] {
    return this.during(() => {
      if (this.phase === 'running') this.enter('paused', reason);
    });
  }

  abort(reason = 'by the user'): Command[] {
    return this.during(() => this.stop(reason, false));
  }

  /** A device's own word. Those that are overtaken, of other rollouts, or of devices that are not meant, change nothing. */
  report(id: string, reported: Reported, now: number): Command[] {
    return this.during(() => {
      const record = this.devices.get(id);
      if (record === undefined || reported.rollout !== this.setup.rollout || reported.seq <= record.seq || record.phase === 'waiting') return;
      const p95Ms = reported.p95_us === undefined ? null : reported.p95_us / 1000;
      const { phase, code } = this.believed(reported);
      this.move(id, { ...record, seq: reported.seq, phase, code, p95Ms, since: phase === record.phase ? record.since : now });
      this.advance(now);
    });
  }

  /** Time has gone by. */
  tick(now: number): Command[] {
    return this.during(() => {
      for (const id of this.busy) {
        const record = this.devices.get(id) as DeviceRecord;
        const phase = timed.find((one) => one === record.phase);
        if (phase !== undefined && now - record.since > this.setup.deadlines[phase]) this.move(id, { ...record, phase: 'unknown', since: now });
      }
      this.advance(now);
    });
  }

  /** Devices that have failed or were not heard of are told once more, with the wave that is under way; a rollout that is done goes on for them. */
  retry(ids: readonly string[], now: number): Command[] {
    return this.during(() => {
      if (this.phase === 'stopped') return;
      for (const id of ids) {
        const record = this.devices.get(id);
        if (record === undefined || !(record.phase === 'failed' || record.phase === 'unknown')) continue;
        // Taken back first: the same again is no work to a device.
        this.commands.push({ kind: 'withdraw', id });
        this.move(id, { ...record, phase: 'waiting', since: now });
        this.queue[this.wave]?.push(id);
        if (this.phase === 'done') this.enter('running', '');
      }
      this.advance(now);
    });
  }

  /** What the gates make of the wave that is under way, in their order. */
  judgements(): Judgement[] {
    return this.tallies.map((tally) => tally.judge());
  }

  private during(work: () => void): Command[] {
    work();
    const { commands } = this;
    this.commands = [];
    return commands;
  }

  /** Only what proves itself is confirmed: a device that says so and has another model, or the wrong answer, has failed. */
  private believed({ state, model, crc, code }: Reported): { phase: DevicePhase; code: string | null } {
    if (state === 'idle') return { phase: 'told', code: null };
    if (state !== 'confirmed') return { phase: state, code: code ?? null };
    const proved = crc === this.setup.challenge && model !== undefined && hex(model) === this.setup.model;
    return proved ? { phase: 'confirmed', code: null } : { phase: 'failed', code: 'CHALLENGE' };
  }

  private move(id: string, record: DeviceRecord): void {
    const before = this.devices.get(id) as DeviceRecord;
    if (underWay.has(record.phase)) this.busy.add(id);
    else this.busy.delete(id);
    this.devices.set(id, record);
    if (record.wave !== this.wave) return;
    const [was, is] = [this.outcomeOf(id, before), this.outcomeOf(id, record)];
    this.open += Number(is.state === 'under-way') - Number(was.state === 'under-way');
    for (const tally of this.tallies) tally.replace(was, is);
  }

  private tell(id: string, now: number): void {
    const record = this.devices.get(id);
    if (record === undefined) return;
    this.move(id, { ...record, phase: 'told', since: now, code: null });
    this.commands.push({ kind: 'desire', id });
  }

  private advance(now: number): void {
    while (this.phase === 'running') {
      const queue = this.queue[this.wave] ?? [];
      while (this.head < queue.length && this.busy.size < this.setup.concurrency) this.tell(queue[this.head++] as string, now);
      // Those who are told again belong to waves that are over: they are waited for in the end.
      if (!this.passes() || this.head < queue.length) return;
      if (this.wave + 1 >= this.setup.waves.length) {
        if (this.busy.size > 0) return;
        this.enter('done', '');
      } else {
        this.wave += 1;
        this.head = 0;
        this.beginWave();
      }
    }
  }

  /** Whether the next wave may begin; pauses or stops where a gate says so. */
  private passes(): boolean {
    if (this.overruled === this.wave) return this.open === 0;
    for (const [g, gate] of this.setup.gates.entries()) {
      const { decision, bad, measured } = (this.tallies[g] as Tally).judge();
      if (decision === 'pass' || decision === 'wait' || gate.action === 'next') continue;
      const reason = `gate ${g + 1}, ${gate.measure}: ${bad} of ${measured} bad in wave ${this.wave + 1}${decision === 'undecided' ? ', which may be chance' : ''}`;
      // What is not sure is left to people.
      if (decision === 'undecided' || gate.action === 'pause') this.enter('paused', reason);
      else this.stop(reason, gate.action === 'roll-back');
      return false;
    }
    return this.open === 0;
  }

  private outcomeOf(id: string, { phase, p95Ms }: DeviceRecord): Outcome {
    const state = phase === 'waiting' || underWay.has(phase) ? 'under-way' : phase === 'rolled-back' ? 'failed' : (phase as Outcome['state']);
    return { state, p95Ms, oldP95Ms: this.setup.before.get(id) ?? null };
  }

  private stop(reason: string, rollBack: boolean): void {
    if (this.phase === 'stopped' || this.phase === 'done') return;
    for (const [id, { phase }] of this.devices) {
      if (underWay.has(phase) || phase === 'unknown') this.commands.push({ kind: 'withdraw', id });
      else if (rollBack && phase === 'confirmed') this.commands.push({ kind: 'roll-back', id });
    }
    this.enter('stopped', reason);
  }

  private enter(phase: RolloutPhase, reason: string): void {
    this.phase = phase;
    this.reason = reason;
    this.commands.push({ kind: 'phase', phase, reason });
  }

  private beginWave(): void {
    const ids = this.setup.waves[this.wave] ?? [];
    this.commands.push({ kind: 'wave', wave: this.wave, devices: ids.length });
    this.tallies = this.setup.gates.map((gate) => new Tally(gate));
    this.open = 0;
    for (const id of ids) {
      const outcome = this.outcomeOf(id, this.devices.get(id) as DeviceRecord);
      if (outcome.state === 'under-way') this.open += 1;
      for (const tally of this.tallies) tally.add(outcome);
    }
  }
}
