// Finds the largest packet that a device receives completely, and at which speed. A device with small receive buffers
// (in Zephyr, MCUMGR_TRANSPORT_UART_RX_BUF_COUNT lines) drops bytes that arrive faster than it reads them, and does not
// answer the incomplete packet. Echo requests of the same size tell this systematic loss from an accidental one.

import { encodePayload, headerBytes, osCommands } from '../protocol/index.js';
import type { LineTiming } from './line-timing.js';
import { type SmpClient, signalOf, smallestPacketBytes } from './smp-client.js';

/** Losses after which a packet size counts as too large. A single loss may be accidental. */
const lossesOfASize = 2;
/**
 * This many losses among the latest packets lower the size even if echoes arrive: a device may drop bytes only while it
 * writes flash.
 */
const maxLosses = 3;
const amongPackets = 10;
/** Pauses between pieces of a packet, tried in this order once even the smallest packets are lost. */
const pausesMs = [5, 20, 80];

export class BurstLimit {
  /** For each of the latest packets, whether it was lost. */
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
   * Call when a packet of this size got no answer although the device answers others: lowers the size until echoes
   * arrive.
   */
  async afterLoss(packetBytes: number, signal?: AbortSignal): Promise<void> {
    if (packetBytes > this.largest) return;
    if (await this.isDelivered(packetBytes, lossesOfASize - 1, signal)) {
      this.note(true);
      if (this.latest.filter((lost) => lost).length < maxLosses) return;
      this.latest = [];
      this.lower(packetBytes);
      return;
    }
    do {
      if (!this.lower(Math.min(packetBytes, this.largest))) return;
    } while (!(await this.isDelivered(this.largest, lossesOfASize, signal)));
    await this.client.learn({ maxPacketBytes: this.largest, pauseMs: this.client.pauseMs });
  }

  onDelivered(): void {
    this.note(false);
  }

  private note(lost: boolean): void {
    this.latest = [...this.latest.slice(1 - amongPackets), lost];
  }

  /** Chooses a smaller packet, or a longer pause. @returns false if there is none */
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

  private async isDelivered(packetBytes: number, attempts: number, signal?: AbortSignal): Promise<boolean> {
    const overhead = headerBytes + encodePayload({ d: 'x'.repeat(packetBytes) }).byteLength - packetBytes;
    const d = 'x'.repeat(packetBytes - overhead);
    const timeoutMs = this.timing.timeoutMs(packetBytes);
    for (let i = 0; i < attempts; i++) {
      const answer = await this.client.askOnce(osCommands.echo, { d }, { ...signalOf(signal), timeoutMs });
      // An error response also shows that the request arrived.
      if (answer !== null) return true;
    }
    return false;
  }
}
