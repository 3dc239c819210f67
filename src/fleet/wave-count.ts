// Counts the current wave: the devices that have not finished, and the gates' judgements. The cost of a device's change
// does not depend on the size of the wave.

import { type DeviceOutcome, type Gate, type Judgement, Tally } from './gates.js';
import { type DevicePhase, type DeviceRecord, timedPhases } from './records.js';

/** Phases of a device that has been notified and has not finished. */
export const inFlightPhases: ReadonlySet<DevicePhase> = new Set(timedPhases);

export class WaveCount {
  /** Devices. */
  size = 0;
  /** Of these, the devices that have not finished. */
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
