// Receives device reports: as they are published, and by reading again what the broker retains, since messages can be
// lost. The latest report of each device counts.

import { Mutex } from 'async-mutex';
import { fleetTopics, type Message } from '../devices/mqtt/index.js';
import type { Reported } from '../devices/protocol/index.js';
import type { Clock, FleetBroker } from './broker.js';
import { readReports, reportOf } from './registry.js';

export interface HeardReport {
  readonly reported: Reported;
  /** The report is the retained one: no later report of the device has reached the broker. */
  readonly retained: boolean;
}

export class Listening {
  private inbox = new Map<string, HeardReport>();
  /** Devices whose report was deleted (an empty message). */
  private removed = new Set<string>();
  private readonly readings = new Mutex();

  constructor(
    private readonly broker: FleetBroker,
    private readonly fleet: string,
    private readonly clock: Clock,
  ) {}

  /** Devices that have reported since the last call. */
  get waiting(): number {
    return this.inbox.size + this.removed.size;
  }

  /** @throws BROKER_REFUSED */
  async begin(): Promise<void> {
    const take = (message: Message): void => {
      const [id, reported] = reportOf(message);
      if (message.payload.byteLength > 0) return this.hear(id, reported, message.retained);
      this.inbox.delete(id);
      this.removed.add(id);
    };
    await this.broker.subscribe(fleetTopics(this.fleet).allReported(), take, { qos: 0, retained: false });
  }

  /** Reads the retained reports of the devices in these shards. @throws BROKER_* */
  read(shards: readonly string[]): Promise<void> {
    // One at a time: a second subscription to the same filter delivers no retained messages.
    return this.readings.runExclusive(() =>
      readReports(this.broker, this.fleet, shards, (...heard) => this.hear(...heard), { clock: this.clock }),
    );
  }

  /** Reports since the last call. */
  drain(): ReadonlyMap<string, HeardReport> {
    const { inbox } = this;
    this.inbox = new Map();
    return inbox;
  }

  /** Devices that were deleted from the fleet since the last call. */
  drainRemoved(): ReadonlySet<string> {
    const { removed } = this;
    this.removed = new Set();
    return removed;
  }

  private hear(id: string, reported: Reported | null, retained: boolean): void {
    if (reported !== null && reported.seq > (this.inbox.get(id)?.reported.seq ?? -1))
      this.inbox.set(id, { reported, retained });
  }
}
