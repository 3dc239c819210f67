// Publishes a bundle: each block is retained under its own topic, so that it is published once for any number of
// devices, whenever they fetch it.

import { fail } from '../base/errors.js';
import { hex, sha256 } from '../base/hashes.js';
import type { OnProgress } from '../base/progress.js';
import { compressedBlocks } from '../devices/bundle/index.js';
import { fleetTopics } from '../devices/mqtt/index.js';
import { isBlockSize, segmentBlocks } from '../devices/protocol/index.js';
import type { FleetBroker } from './broker.js';

export interface PublishedBundle {
  /** SHA-256 of the slot image. */
  readonly sha: Uint8Array;
  readonly imageBytes: number;
  /** Size of a block before compression. */
  readonly blockBytes: number;
  readonly blocks: number;
  /** Bytes of all messages. */
  readonly publishedBytes: number;
}

export interface PublishOptions {
  /** A power of two from 512 to 32768. Devices need twice this memory. */
  readonly blockBytes?: number;
  readonly onProgress?: OnProgress<'publish'>;
  readonly signal?: AbortSignal;
}

/** Small enough for microcontrollers, large enough that headers do not matter. */
export const defaultBlockBytes = 1024;
/** Maximum number of unacknowledged messages. */
const inFlight = 16;

/**
 * Publishes the blocks. Repeating it changes nothing: the messages are the same. @throws BROKER_*, USAGE, INTERRUPTED
 */
export async function publishBundle(
  broker: FleetBroker,
  fleet: string,
  image: Uint8Array,
  { blockBytes = defaultBlockBytes, onProgress, signal }: PublishOptions = {},
): Promise<PublishedBundle> {
  if (!isBlockSize(blockBytes))
    throw fail('USAGE', { reason: `blocks of ${blockBytes} bytes: the size must be a power of two from 512 to 32768` });
  const sha = sha256(image);
  const blocks = compressedBlocks(image, blockBytes);
  let publishedBytes = 0;
  for (let at = 0; at < blocks.length; at += inFlight) {
    signal?.throwIfAborted();
    onProgress?.({ step: 'publish', done: at, total: blocks.length });
    const batch = blocks.slice(at, at + inFlight);
    await Promise.all(batch.map((block, i) => broker.publish(blockTopic(fleet, sha, at + i), block, { retain: true })));
    publishedBytes += batch.reduce((sum, block) => sum + block.byteLength, 0);
  }
  onProgress?.({ step: 'publish', done: blocks.length, total: blocks.length });
  return { sha, imageBytes: image.byteLength, blockBytes, blocks: blocks.length, publishedBytes };
}

/** Deletes the blocks from the broker: devices can no longer fetch them. @throws BROKER_* */
export async function withdrawBundle(
  broker: FleetBroker,
  fleet: string,
  { sha, blocks }: Pick<PublishedBundle, 'sha' | 'blocks'>,
): Promise<void> {
  // From the end: a check for the last block then shows that they are incomplete.
  for (let n = blocks - 1; n >= 0; n--)
    await broker.publish(blockTopic(fleet, sha, n), new Uint8Array(0), { retain: true });
}

export function blockTopic(fleet: string, sha: Uint8Array, n: number): string {
  return fleetTopics(fleet).block(hex(sha), Math.floor(n / segmentBlocks), n);
}
