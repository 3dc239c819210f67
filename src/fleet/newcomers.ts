// Devices that report for the first time while a rollout runs. Anyone may be able to write a report, so a newcomer
// joins only if it has been connected to the broker, and only if the plan does not expect a fixed number of devices.
// The others are quarantined: named in the rollout's events and left alone.

import type { Quarantine, RolloutEvent } from './records.js';
import type { FleetMember } from './registry.js';

/** Devices whose `alive` message is requested at once. */
const maxAskedAtOnce = 64;

export class Newcomers {
  private readonly offered = new Map<string, FleetMember>();
  private readonly quarantined = new Set<string>();
  private admitted: FleetMember[] = [];
  private events: RolloutEvent[] = [];
  private asking = false;

  /** @param isFull whether the plan expects no more devices than it already has */
  constructor(private readonly isFull: () => boolean) {}

  /** Newcomers that are not decided on yet, or admitted and not yet taken. */
  get open(): number {
    return this.offered.size + this.admitted.length + (this.asking ? 1 : 0);
  }

  /** Whether there are newcomers to decide on and no decision is running. */
  get mayDecide(): boolean {
    return this.offered.size > 0 && !this.asking;
  }

  offer(member: FleetMember): void {
    if (this.isFull()) this.quarantine([member.id], 'not-expected');
    else this.offered.set(member.id, member);
  }

  /** Decides on the offered devices. A quarantined device is checked again when it reports again. */
  async decide(everConnected: (ids: readonly string[]) => Promise<ReadonlySet<string>>): Promise<void> {
    const batch = [...this.offered.values()].slice(0, maxAskedAtOnce);
    this.asking = true;
    try {
      const connected = await everConnected(batch.map(({ id }) => id));
      for (const { id } of batch) this.offered.delete(id);
      this.admitted.push(...batch.filter(({ id }) => connected.has(id)));
      this.quarantine(
        batch.flatMap(({ id }) => (connected.has(id) ? [] : id)),
        'never-connected',
      );
    } finally {
      this.asking = false;
    }
  }

  /** Members to join, and events to log, since the last call. */
  drain(): { readonly admitted: readonly FleetMember[]; readonly events: readonly RolloutEvent[] } {
    const { admitted, events } = this;
    this.admitted = [];
    this.events = [];
    return { admitted, events };
  }

  /** Each id is named once. */
  private quarantine(ids: readonly string[], why: Quarantine): void {
    const fresh = ids.filter((id) => !this.quarantined.has(id));
    for (const id of fresh) this.quarantined.add(id);
    if (fresh.length > 0) this.events.push({ kind: 'quarantined', ids: fresh, why });
  }
}
