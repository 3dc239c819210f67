// Packets back to back on a reliable stream (TCP, Zephyr's raw UART transport): the header's length is the only
// framing.

import { elementAt } from '../../base/checked.js';
import type { FrameReceiver } from './console.js';
import { headerBytes, Op } from './header.js';

/** Decodes a stream of pieces of any length. Bytes that cannot begin a packet are skipped. */
export class RawDecoder {
  private readonly header = Buffer.alloc(headerBytes);
  /** Expected length of the packet being received. */
  private received = 0;
  /** null if the packet is too long; it is skipped. */
  private packet: Uint8Array | null = null;
  private packetBytes = 0;

  constructor(
    private readonly receiver: Pick<FrameReceiver, 'onPacket'>,
    private readonly maxPacketBytes: number,
  ) {}

  add(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.byteLength) {
      if (this.received < headerBytes) {
        this.header[this.received++] = elementAt(bytes, at++);
        if (this.received === headerBytes) this.begin();
        continue;
      }
      const piece = bytes.subarray(at, at + this.packetBytes - this.received);
      this.packet?.set(piece, this.received);
      this.received += piece.byteLength;
      at += piece.byteLength;
      this.endIfWhole();
    }
  }

  private begin(): void {
    const { header } = this;
    if (!couldBegin(header)) {
      header.copyWithin(0, 1);
      this.received = headerBytes - 1;
      return;
    }
    this.packetBytes = headerBytes + header.readUInt16BE(2);
    this.packet = this.packetBytes > this.maxPacketBytes ? null : new Uint8Array(this.packetBytes);
    this.packet?.set(header);
    this.endIfWhole();
  }

  private endIfWhole(): void {
    if (this.received < this.packetBytes) return;
    const { packet } = this;
    this.received = 0;
    this.packet = null;
    if (packet !== null) this.receiver.onPacket(packet);
  }
}

/** Reserved bits and flags must be 0, the version one of two. */
function couldBegin(header: Buffer): boolean {
  const first = elementAt(header, 0);
  return (first & 0xf0) === 0 && (first & 7) <= Op.writeResponse && header[1] === 0;
}
