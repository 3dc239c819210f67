// A download of an image, block by block in any order: a bitmap marks received blocks, so that repeated and reordered
// ones do no harm.

import { hex, sha256Hex } from '../../../base/hashes.js';
import { inflatedBlock } from '../../bundle/index.js';
import { type Desired, segmentBlocks } from '../../protocol/index.js';
import type { ImageStore } from './image-store.js';

export class Download {
  readonly blocks: number;
  /** Of the image, in hexadecimal. */
  readonly sha: string;
  private readonly have: Uint8Array;
  private missing: number;
  /**
   * Bytes that differ from other devices' copy of the image; allocated only if there is no copy, or if a block differs.
   */
  private own: Uint8Array | null = null;

  constructor(
    readonly desired: Desired,
    private readonly store: ImageStore,
  ) {
    this.sha = hex(desired.sha);
    this.blocks = Math.ceil(desired.len / desired.block);
    this.have = new Uint8Array(this.blocks);
    this.missing = this.blocks;
  }

  get received(): number {
    return this.blocks - this.missing;
  }

  get complete(): boolean {
    return this.missing === 0;
  }

  /** The first segment with a missing block. */
  get segment(): number {
    return Math.floor(this.have.indexOf(0) / segmentBlocks);
  }

  /** @returns whether the block was missing */
  take(n: number, compressed: Uint8Array): boolean {
    if (!(n < this.blocks) || this.have[n] === 1) return false;
    const { block, len } = this.desired;
    const at = n * block;
    const bytes = inflatedBlock(compressed, Math.min(block, len - at));
    if (bytes === null) return false;
    const known = this.own === null ? this.store.image(this.sha) : null;
    if (known === null || Buffer.compare(known.subarray(at, at + bytes.byteLength), bytes) !== 0)
      this.write(at, bytes, known);
    this.have[n] = 1;
    this.missing -= 1;
    return true;
  }

  /** The whole image. @returns null if it does not match its hash */
  image(): Uint8Array | null {
    if (this.own === null) return this.store.image(this.sha);
    return sha256Hex(this.own) === this.sha ? this.store.shared(this.sha, this.own) : null;
  }

  private write(at: number, bytes: Uint8Array, known: Uint8Array | null): void {
    // Earlier blocks equal the shared copy.
    this.own ??= known === null ? new Uint8Array(this.desired.len) : known.slice();
    this.own.set(bytes, at);
  }
}
