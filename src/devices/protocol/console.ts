// SMP's console framing (Zephyr smp_transport.rst, serial_util.c): length, packet and CRC in base64, split into lines
// that log lines may separate. Length and CRC are big-endian; the length covers packet and CRC.

import { fail } from '../../base/errors.js';
import { crc16 } from './crc16.js';

/** Maximum line length including marker and line end, as Zephyr sends and accepts. */
export const maxLineBytes = 127;
/** The length field has 16 bits and includes the CRC. */
export const maxConsolePacketBytes = 0xffff - 2;
/** Bytes that framing adds in the receiver's buffer. */
export const consoleOverheadBytes = 4;

const rawBytesPerLine = Math.floor((maxLineBytes - 3) / 4) * 3;
const firstMarker = Uint8Array.of(0x06, 0x09);
const nextMarker = Uint8Array.of(0x04, 0x14);
const lineEnd = 0x0a;
/** No server sends longer lines: they are passed on as log in pieces. */
const maxHeldLineBytes = 1024;

/** The lines that carry a packet. */
export function encodeConsole(packet: Uint8Array): Uint8Array {
  if (packet.byteLength > maxConsolePacketBytes)
    throw fail('INTERNAL', { reason: `a packet of ${packet.byteLength} bytes on a console` });
  const raw = Buffer.alloc(packet.byteLength + consoleOverheadBytes);
  raw.writeUInt16BE(packet.byteLength + 2);
  raw.set(packet, 2);
  raw.writeUInt16BE(crc16(packet), packet.byteLength + 2);
  const lines: Uint8Array[] = [];
  for (let at = 0; at < raw.byteLength; at += rawBytesPerLine) {
    const text = raw.subarray(at, at + rawBytesPerLine).toString('base64');
    lines.push(at === 0 ? firstMarker : nextMarker, Buffer.from(text, 'latin1'), Uint8Array.of(lineEnd));
  }
  return Buffer.concat(lines);
}

/** Number of bytes that `encodeConsole` produces for a packet. */
export function consoleBytes(packetBytes: number): number {
  const raw = packetBytes + consoleOverheadBytes;
  const lines = Math.ceil(raw / rawBytesPerLine);
  const last = raw - (lines - 1) * rawBytesPerLine;
  return (lines - 1) * maxLineBytes + 3 + 4 * Math.ceil(last / 3);
}

/** The largest packet up to the given size that fills its lines; the given size if not even one line is full. */
export function fullLines(packetBytes: number): number {
  const lines = Math.floor((packetBytes + consoleOverheadBytes) / rawBytesPerLine);
  return lines === 0 ? packetBytes : lines * rawBytesPerLine - consoleOverheadBytes;
}

export interface FrameReceiver {
  readonly onPacket: (packet: Uint8Array) => void;
  /** Called with a line, or part of a line, that is no frame: the device's log. */
  readonly onLog: (text: string) => void;
}

/** Decodes a stream of pieces of any length. Damaged frames are dropped: the client repeats its request. */
export class ConsoleDecoder {
  private readonly line = Buffer.alloc(maxHeldLineBytes);
  private lineBytes = 0;
  private frame: Buffer[] = [];
  private frameBytes = 0;
  /** Expected length of the frame being received, including its length field; 0 if there is none. */
  private wholeBytes = 0;

  /** @param maxPacketBytes larger packets are dropped */
  constructor(
    private readonly receiver: FrameReceiver,
    private readonly maxPacketBytes: number,
  ) {}

  add(bytes: Uint8Array): void {
    for (const byte of bytes) this.take(byte);
  }

  private take(byte: number): void {
    // The first byte of a marker begins a line even after an unfinished log line: no text contains these bytes.
    if ((byte === firstMarker[0] || byte === nextMarker[0]) && this.lineBytes > 0) this.endLine();
    if (byte === lineEnd) this.endLine();
    else {
      this.line[this.lineBytes++] = byte;
      if (this.lineBytes === maxHeldLineBytes) this.endLine();
    }
  }

  private endLine(): void {
    const line = this.line.subarray(0, this.lineBytes);
    this.lineBytes = 0;
    if (begins(line, firstMarker)) this.beginFrame(decodeBase64(line.subarray(2)));
    else if (begins(line, nextMarker)) {
      if (this.wholeBytes > 0) this.addToFrame(decodeBase64(line.subarray(2)));
    } else {
      const text = line.toString('utf8').replace(/\r$/, '');
      if (text !== '') this.receiver.onLog(text);
    }
  }

  private beginFrame(bytes: Buffer | null): void {
    this.dropFrame();
    if (bytes === null || bytes.byteLength < 2) return;
    const length = bytes.readUInt16BE();
    if (length < 2 || length - 2 > this.maxPacketBytes) return;
    this.wholeBytes = 2 + length;
    this.addToFrame(bytes);
  }

  private addToFrame(bytes: Buffer | null): void {
    this.frameBytes += bytes?.byteLength ?? 0;
    if (bytes === null || this.frameBytes > this.wholeBytes) {
      this.dropFrame();
      return;
    }
    this.frame.push(bytes);
    if (this.frameBytes < this.wholeBytes) return;
    const body = Buffer.concat(this.frame).subarray(2);
    this.dropFrame();
    // The CRC of a packet followed by its CRC is 0.
    if (crc16(body) === 0) this.receiver.onPacket(new Uint8Array(body.subarray(0, -2)));
  }

  private dropFrame(): void {
    this.frame = [];
    this.frameBytes = 0;
    this.wholeBytes = 0;
  }
}

function begins(line: Buffer, marker: Uint8Array): boolean {
  return line.byteLength >= 2 && line[0] === marker[0] && line[1] === marker[1];
}

/** null for text that is not base64, which Buffer would decode partially. */
function decodeBase64(text: Buffer): Buffer | null {
  const trimmed = text.toString('latin1').replace(/\r$/, '');
  return trimmed.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(trimmed) ? Buffer.from(trimmed, 'base64') : null;
}
