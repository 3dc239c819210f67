// Hears what devices report: as it comes, and by reading again what the broker retains, since messages can be lost. Of each device the latest word counts.

import { fleetTopics, type Message } from '../mqtt/index.js';
import type { Reported } from '../protocol/index.js';
import type { Clock, FleetBroker } from './broker.js';
import { readReports, reportOf } from './registry.js';

export class Listening {
  private inbox = new Map<string, Reported>();

  constructor(
    private readonly broker: FleetBroker,
    private readonly fleet: string,
    private readonly clock: Clock,
  ) {}

  /** Devices that have said something since they were asked last. */
  get waiting(): number {
    return this.inbox.size;
  }

  /** @throws BROKER_REFUSED */
  async begin(): Promise<void> {
    const take = (message: Message): void => this.hear(...reportOf(message));
    await this.broker.subscribe(fleetTopics(this.fleet).allReported(), take, { qos: 0, retained: false });
  }

  /** What the devices of these shards have said last, however long ago. @throws BROKER_* */
  read(shards: readonly string[]): Promise<void> {
    return readReports(this.broker, this.fleet, shards, (id, reported) => this.hear(id, reported), { clock: this.clock });
  }

  /** What has been heard since this was asked last. */
  drain(): ReadonlyMap<string, Reported> {
    const { inbox } = this;
    this.inbox = new Map();
    return inbox;
  }

  private hear(id: string, reported: Reported | null): void {
    if (reported !== null && reported.seq > (this.inbox.get(id)?.seq ?? -1)) this.inbox.set(id, reported);
  }
}
