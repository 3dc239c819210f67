// Fetches an image, segment by segment: from the broker's retained blocks, or by requests to the agent.

import { equalBytes } from '../../../base/hashes.js';
import type { fleetTopics } from '../../mqtt/index.js';
import { type Desired, decodeBlock, encodeBlockRequest, segmentBlocks } from '../../protocol/index.js';
import { Download } from './download.js';
import type { ImageStore } from './image-store.js';
import type { FleetPort } from './port.js';

/** Timeout for a segment, which is then fetched again: from the retained messages, or by a request. */
const segmentTimeoutMs = 15_000;

export interface FetcherEvents {
  /** More than half of the blocks are there; called for each of them. */
  readonly onHalf: () => void;
  /** @param image null if the blocks do not match the announced hash */
  readonly onComplete: (desired: Desired, image: Uint8Array | null) => void;
}

export class Fetcher {
  private download: Download | null = null;
  private subscribed: string | null = null;
  /** Segments in a row that timed out; blocks are then requested. */
  private failedAttempts = 0;
  private callOff: () => void = () => undefined;

  constructor(
    private readonly id: string,
    private readonly topics: ReturnType<typeof fleetTopics>,
    private readonly port: FleetPort,
    private readonly store: ImageStore,
    private readonly events: FetcherEvents,
  ) {}

  get fetching(): boolean {
    return this.download !== null;
  }

  /** Prepares a download; `next` begins it. */
  prepare(desired: Desired): void {
    this.stop();
    this.download = new Download(desired, this.store);
  }

  /** Fetches the next segment. */
  next(): void {
    const { download } = this;
    if (download === null) return;
    this.unsubscribe();
    const { segment, desired, blocks } = download;
    // If the broker retains no blocks, request them from the agent.
    if (desired.pull === true || this.failedAttempts % 2 === 1) {
      const from = segment * segmentBlocks;
      const request = encodeBlockRequest({ sha: desired.sha, from, n: Math.min(segmentBlocks, blocks - from) });
      this.port.publish(this.topics.blockRequest(this.id), request, false);
    } else {
      this.subscribed = this.topics.segment(download.sha, segment);
      this.port.subscribe(this.subscribed);
    }
    this.callOff();
    this.callOff = this.port.later(segmentTimeoutMs, () => {
      this.failedAttempts += 1;
      this.next();
    });
  }

  stop(): void {
    this.callOff();
    this.unsubscribe();
    this.download = null;
    this.failedAttempts = 0;
  }

  /** After a reconnection. */
  resubscribe(): void {
    if (this.subscribed !== null) this.port.subscribe(this.subscribed);
  }

  retained(topic: string, payload: Uint8Array): void {
    const { download } = this;
    if (download === null) return;
    const n = Number(topic.slice(topic.lastIndexOf('/') + 1));
    if (topic === this.topics.block(download.sha, Math.floor(n / segmentBlocks), n)) this.take(download, n, payload);
  }

  pulled(payload: Uint8Array): void {
    const { download } = this;
    if (download === null) return;
    try {
      const { sha, n, data } = decodeBlock(payload);
      if (equalBytes(sha, download.desired.sha)) this.take(download, n, data);
    } catch {
      // Not a valid block: missing blocks are requested again.
    }
  }

  private take(download: Download, n: number, payload: Uint8Array): void {
    const before = download.segment;
    if (!download.take(n, payload)) return;
    if (download.received > download.blocks / 2) this.events.onHalf();
    // It may have been stopped by that.
    if (this.download !== download) return;
    if (download.complete) {
      this.stop();
      this.events.onComplete(download.desired, download.image());
    } else if (download.segment !== before) {
      this.failedAttempts = 0;
      this.next();
    }
  }

  private unsubscribe(): void {
    if (this.subscribed !== null) this.port.unsubscribe(this.subscribed);
    this.subscribed = null;
  }
}
