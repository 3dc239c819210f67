// The wave that is under way, counted: how many of its devices are not through, and what each gate makes of it. A device's change costs the same, however
// large the wave is.

import { type Gate, type Judgement, type Outcome, Tally } from './gates.js';
import { type DevicePhase, type DeviceRecord, timedPhases } from './records.js';

/** Phases of a device that works at what it was told. */
export const underWay: ReadonlySet<DevicePhase> = new Set(timedPhases);

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
    const outcome = outcomeOf(record);
    this.size += 1;
    this.open += Number(outcome.state === 'under-way');
    for (const tally of this.tallies) tally.add(outcome);
  }

  replace(before: DeviceRecord, after: DeviceRecord): void {
    const [was, is] = [outcomeOf(before), outcomeOf(after)];
    this.open += Number(is.state === 'under-way') - Number(was.state === 'under-way');
    for (const tally of this.tallies) tally.replace(was, is);
  }

  /** In the order of the gates. */
  judge(): Judgement[] {
    return this.tallies.map((tally) => tally.judge());
  }
}

function outcomeOf({ phase, measured, before }: DeviceRecord): Outcome {
  return { state: stateOf(phase), measured, before };
}

function stateOf(phase: DevicePhase): Outcome['state'] {
  if (phase === 'confirmed' || phase === 'unknown') return phase;
  return phase === 'waiting' || underWay.has(phase) ? 'under-way' : 'failed';
}
