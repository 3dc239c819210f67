// Packets over a byte stream, in one of two framings.

import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ConsoleDecoder,
  cleanText,
  consoleBytes,
  consoleOverheadBytes,
  encodeConsole,
  type FrameReceiver,
  fullLines,
  maxConsolePacketBytes,
  maxPacketBytes,
  RawDecoder,
} from '../protocol/index.js';
import { EndingTransport } from './ending.js';
import { type LineProperties, plainLine, type Received } from './transport.js';

export interface Framing {
  readonly encode: (packet: Uint8Array) => Uint8Array;
  readonly decoder: (receiver: FrameReceiver) => { readonly add: (bytes: Uint8Array) => void };
  readonly line: LineProperties;
}

export const framings = {
  /** Lines of base64 with a CRC, between which a device may log. */
  console: {
    encode: encodeConsole,
    decoder: (receiver) => new ConsoleDecoder(receiver, maxPacketBytes),
    line: {
      ...plainLine,
      // Length and CRC share the receiver's buffer with the packet.
      maxPacketBytes: (bufferBytes) => Math.min(bufferBytes - consoleOverheadBytes, maxConsolePacketBytes),
      wholeFrames: fullLines,
      wireBytes: consoleBytes,
    },
  },
  /** Packets back to back. */
  raw: {
    encode: (packet) => packet,
    decoder: (receiver) => new RawDecoder(receiver, maxPacketBytes),
    line: plainLine,
  },
} as const satisfies Record<string, Framing>;

export type Distortion = (bytes: Uint8Array) => Uint8Array;

const maxLogLine = 400;
const linesKept = 20;

class Heard implements Received {
  bytes = 0;
  unreadable = 0;
  readonly text: string[] = [];

  add(bytes: Uint8Array): void {
    this.bytes += bytes.byteLength;
    for (const byte of bytes) if (!isReadable(byte)) this.unreadable += 1;
  }

  line(text: string): void {
    if (/[\w ]{3}/.test(text)) this.text.push(text);
    if (this.text.length > linesKept) this.text.shift();
  }
}

/** Printable ASCII, white space, escape, and the markers of console frames. */
function isReadable(byte: number): boolean {
  return (
    (byte >= 0x20 && byte < 0x7f) ||
    (byte >= 0x08 && byte <= 0x0d) ||
    byte === 0x1b ||
    byte === 0x06 ||
    byte === 0x04 ||
    byte === 0x14
  );
}

/** Bytes between two pauses, if any: less than the FIFO or buffer of a small receiver. */
const pieceBytes = 32;

export class StreamTransport extends EndingTransport {
  readonly line: LineProperties;
  pauseMs = 0;
  private readonly heard = new Heard();

  /** @param release releases the stream's resources */
  constructor(
    name: string,
    private readonly stream: Duplex,
    private readonly framing: Framing,
    protected readonly release: () => Promise<void>,
    bytesPerSecond: number | null = null,
    /** Changes framed bytes before they are sent, for fault injection. */
    private readonly distort: Distortion = (bytes) => bytes,
  ) {
    super(name);
    this.line = { ...framing.line, bytesPerSecond };
    const decoder = framing.decoder({
      onPacket: (packet) => this.onPacket?.(packet),
      onLog: (line) => {
        const text = cleanText(line, maxLogLine);
        this.heard.line(text);
        this.onLog?.(text);
      },
    });
    stream.on('data', (bytes: Uint8Array) => {
      this.heard.add(bytes);
      decoder.add(bytes);
    });
    // When the far end vanishes, streams report it in several ways, and repeatedly.
    stream.on('error', (error: Error) => void this.end(error.message));
    stream.on('close', () => void this.end('the other end closed it'));
    stream.on('end', () => void this.end('the other end closed it'));
  }

  get received(): Received {
    return this.heard;
  }

  protected async write(packet: Uint8Array): Promise<void> {
    const bytes = this.distort(this.framing.encode(packet));
    const { pauseMs } = this;
    const piece = pauseMs === 0 ? bytes.byteLength : pieceBytes;
    for (let at = 0; at < bytes.byteLength; at += piece) {
      if (at > 0) await delay(pauseMs);
      // The callback is called when the system has taken the bytes, and with the error that 'error' reports too.
      await new Promise<void>((resolve) => this.stream.write(bytes.subarray(at, at + piece), () => resolve()));
    }
  }
}
