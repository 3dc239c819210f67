// A bundle at a broker for the duration of a rollout: published in blocks, published again if the broker loses them,
// and sent to devices that request blocks.

import { hex, sha256 } from '../base/hashes.js';
import { compressedBlocks, decodeSlotImage } from '../devices/bundle/index.js';
import { fleetTopics, type Message } from '../devices/mqtt/index.js';
import { decodeBlockRequest, encodeBlock, encodeDesired } from '../devices/protocol/index.js';
import type { Clock, FleetBroker } from './broker.js';
import type { Desire } from './outbox.js';
import type { RolloutPlan } from './plan.js';
import { Prover } from './proof.js';
import { blockTopic, publishBundle } from './publish-bundle.js';
import { readRetained } from './registry.js';
import type { PublishedRow } from './store/index.js';

export class BundleSource {
  readonly sha: Uint8Array;
  readonly prover: Prover;
  /** Bytes of all published messages. */
  readonly compressedBytes: number;
  private readonly blocks: readonly Uint8Array[];

  /** @param other the bundle that devices ran before, if it is known */
  constructor(
    private readonly broker: FleetBroker,
    private readonly fleet: string,
    private readonly image: Uint8Array,
    private readonly plan: RolloutPlan,
    other: Uint8Array | null,
  ) {
    this.sha = sha256(image);
    this.prover = new Prover(
      decodeSlotImage(image),
      `${plan.rollout}\n${hex(this.sha)}`,
      other === null ? null : decodeSlotImage(other),
    );
    this.blocks = compressedBlocks(image, plan.blockBytes);
    this.compressedBytes = this.blocks.reduce((sum, block) => sum + block.byteLength, 0);
  }

  row(complete: boolean): PublishedRow {
    return { sha: hex(this.sha), blocks: this.blocks.length, blockBytes: this.plan.blockBytes, complete };
  }

  /** The `desired` message for a device. */
  desire({ id, attempt, desired }: Desire): Uint8Array {
    const { rollout, blockBytes, notAfter, source } = this.plan;
    return encodeDesired({
      rollout,
      attempt,
      sha: this.sha,
      len: this.image.byteLength,
      block: blockBytes,
      seed: this.prover.seedFor(id, attempt),
      // A roll-back has no deadline.
      ...(notAfter === null || desired === 'old' ? {} : { deadline: notAfter }),
      ...(source === 'pull' ? { pull: true } : {}),
      ...(this.prover.wantsOutputs ? { outputs: true } : {}),
    });
  }

  async publish(): Promise<void> {
    if (this.plan.source === 'pull') return;
    await publishBundle(this.broker, this.fleet, this.image, { blockBytes: this.plan.blockBytes });
  }

  /** Whether the broker still has the last block. */
  async isThere(clock: Clock): Promise<boolean> {
    if (this.plan.source === 'pull') return true;
    let there = false;
    const last = blockTopic(this.fleet, this.sha, this.blocks.length - 1);
    const take = ({ payload }: Message): void => {
      there = payload.byteLength > 0;
    };
    await readRetained(this.broker, this.fleet, [last], take, { clock });
    return there;
  }

  block(n: number): Uint8Array | null {
    return this.blocks[n] ?? null;
  }
}

/** Answers devices that request blocks, until the connection is closed. */
export async function serveBlocks(
  broker: FleetBroker,
  fleet: string,
  sourceOf: (sha: string) => BundleSource | null,
): Promise<void> {
  const topics = fleetTopics(fleet);
  await broker.subscribe(topics.allBlockRequests, ({ topic, payload }) => {
    let request: ReturnType<typeof decodeBlockRequest>;
    try {
      request = decodeBlockRequest(payload);
    } catch {
      // An invalid request is not answered.
      return;
    }
    const { sha, from, n } = request;
    const source = sourceOf(hex(sha));
    const id = topic.split('/').at(-3) ?? '';
    for (let at = from; at < from + n; at++) {
      const data = source?.block(at) ?? null;
      if (data !== null)
        void broker.publish(topics.pulledBlock(id), encodeBlock({ sha, n: at, data })).catch(() => undefined);
    }
  });
}
