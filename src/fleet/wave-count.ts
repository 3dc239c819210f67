// The wave that is under way, counted: how many of its devices are not through, and what each gate makes of it. A
// device's change costs the same, however large the wave is.

import { type DeviceOutcome, type Gate, type Judgement, Tally } from './gates.js';
import { type DevicePhase, type DeviceRecord, timedPhases } from './records.js';

/** Phases of a device that works at what it was told. */
export const inFlightPhases: ReadonlySet<DevicePhase> = new Set(timedPhases);

export class WaveCount {
  /** Devices. */
  size = 0;
  /** Of these, those that are not through. */
  open = 0;
  private readonly tallies: readonly Tally[];

  constructor(gates: readonly Gate[]) {
    this.tallies = gates.map((gate) => new Tally(gate));
  }

  add(record: DeviceRecord): void {
    this.count(record, 1);
  }

  replace(before: DeviceRecord, after: DeviceRecord): void {
    this.count(before, -1);
    this.count(after, 1);
  }

  /** In the order of the gates. */
  judge(): Judgement[] {
    return this.tallies.map((tally) => tally.judge());
  }

  private count({ phase, measured, before }: DeviceRecord, by: 1 | -1): void {
    if (phase === 'removed') return;
    const outcome = { state: stateOf(phase), measured, before };
    this.size += by;
    if (outcome.state === 'under-way') this.open += by;
    for (const tally of this.tallies) tally.count(outcome, by);
  }
}

function stateOf(phase: DevicePhase): DeviceOutcome['state'] {
  if (phase === 'confirmed' || phase === 'unknown') return phase;
  return phase === 'waiting' || inFlightPhases.has(phase) ? 'under-way' : 'failed';
}
