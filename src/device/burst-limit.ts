// The largest packet that a device receives whole, and how fast. Small receive buffers lose a part of what comes faster than the device reads it
// (Zephyr: MCUMGR_TRANSPORT_UART_RX_BUF_COUNT lines), and a device with lost packets is silent. Echoes of a packet's size tell such a loss from a
// single one.

import { encodePayload, headerBytes, osCommands } from '../protocol/index.js';
import type { LineTiming } from './line-timing.js';
import { type SmpClient, signalOf, smallestPacketBytes } from './smp-client.js';

/** A size counts as too large when so many packets of it were lost: one may be lost by chance. */
const lossesOfASize = 2;
/** So many losses among so many packets lower a size whose echoes arrive: the device may lose packets only while it writes. */
const mostLosses = 3;
const amongPackets = 10;
/** Tried one after another where the smallest packets are lost too. */
const pausesMs = [5, 20, 80];

export class BurstLimit {
  /** Of the latest packets: true for those that were lost. */
  private latest: boolean[] = [];

  constructor(
    private readonly client: SmpClient,
    private readonly timing: LineTiming,
    private largest: number,
  ) {}

  get maxPacketBytes(): number {
    return this.largest;
  }

  /**
   * After a packet of this size stayed unanswered by a device that answers others: finds what it receives.
   */
  async afterLoss(packetBytes: number, signal?: AbortSignal): Promise<void> {
    if (packetBytes > this.largest) return;
    if (await this.arrives(packetBytes, lossesOfASize - 1, signal)) {
      this.note(true);
      if (this.latest.filter((lost) => lost).length < mostLosses) return;
      this.latest = [];
      this.lower(packetBytes);
      return;
    }
    do {
      if (!this.lower(Math.min(packetBytes, this.largest))) return;
    } while (!(await this.arrives(this.largest, lossesOfASize, signal)));
    await this.client.learn({ maxPacketBytes: this.largest, pauseMs: this.client.pauseMs });
  }

  afterArrival(): void {
    this.note(false);
  }

  private note(lost: boolean): void {
    this.latest = [...this.latest.slice(1 - amongPackets), lost];
  }

  /** @returns false where nothing is left to lower */
  private lower(from: number): boolean {
    const smaller = this.client.line.wholeFrames(Math.floor(from / 2));
    if (smaller >= smallestPacketBytes) {
      this.largest = smaller;
      return true;
    }
    const pauseMs = pausesMs.find((pause) => pause > this.client.pauseMs);
    if (pauseMs === undefined || !this.client.canPause) return false;
    this.client.pauseMs = pauseMs;
    return true;
  }

  private async arrives(packetBytes: number, attempts: number, signal?: AbortSignal): Promise<boolean> {
    const overhead = headerBytes + encodePayload({ d: 'x'.repeat(packetBytes) }).byteLength - packetBytes;
    const d = 'x'.repeat(packetBytes - overhead);
    const timeoutMs = this.timing.patienceMs(packetBytes);
    for (let i = 0; i < attempts; i++) {
      const answer = await this.client.askOnce(osCommands.echo, { d }, { ...signalOf(signal), timeoutMs });
      // A refusal is an answer too: the request has arrived.
      if (answer !== null) return true;
    }
    return false;
  }
}
