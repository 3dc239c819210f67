// Packets over a stream of bytes, framed one way or the other.

import type { Duplex } from 'node:stream';
import {
  ConsoleDecoder,
  consoleBytes,
  consoleOverheadBytes,
  encodeConsole,
  type FrameReceiver,
  longestConsolePacket,
  maxPacketBytes,
  RawDecoder,
} from '../protocol/index.js';
import { EndingTransport } from './ending.js';
import { type Line, plainLine } from './transport.js';

export interface Framing {
  readonly encode: (packet: Uint8Array) => Uint8Array;
  readonly decoder: (receiver: FrameReceiver) => { readonly add: (bytes: Uint8Array) => void };
  readonly line: Line;
}

export const framings = {
  /** Lines of base64 with a CRC, between which a device may log. */
  console: {
    encode: encodeConsole,
    decoder: (receiver) => new ConsoleDecoder(receiver, maxPacketBytes),
    // Length and CRC share the receiver's buffer with the packet.
    line: { ...plainLine, largestPacket: (bufferBytes) => Math.min(bufferBytes - consoleOverheadBytes, longestConsolePacket), wireBytes: consoleBytes },
  },
  /** Packets one after another. */
  raw: {
    encode: (packet) => packet,
    decoder: (receiver) => new RawDecoder(receiver, maxPacketBytes),
    line: plainLine,
  },
} as const satisfies Record<string, Framing>;

export type Distortion = (bytes: Uint8Array) => Uint8Array;

export class StreamTransport extends EndingTransport {
  readonly line: Line;

  /** @param release gives the stream back to the system */
  constructor(
    name: string,
    private readonly stream: Duplex,
    private readonly framing: Framing,
    protected readonly release: () => Promise<void>,
    bytesPerSecond: number | null = null,
    /** What becomes of framed bytes before they are sent: faults. */
    private readonly distort: Distortion = (bytes) => bytes,
  ) {
    super(name);
    this.line = { ...framing.line, bytesPerSecond };
    const decoder = framing.decoder({ onPacket: (packet) => this.onPacket?.(packet), onLog: (line) => this.onLog?.(line) });
    stream.on('data', (bytes: Uint8Array) => decoder.add(bytes));
    // Where the far end vanishes, streams tell it in several ways, and more than once.
    stream.on('error', (error: Error) => void this.end(error.message));
    stream.on('close', () => void this.end('the other end closed it'));
    stream.on('end', () => void this.end('the other end closed it'));
  }

  protected async write(packet: Uint8Array): Promise<void> {
    // The callback comes when the bytes are with the system, with the error too that 'error' tells of.
    await new Promise<void>((resolve) => this.stream.write(this.distort(this.framing.encode(packet)), () => resolve()));
  }
}
