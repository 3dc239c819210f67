// How long a transfer must take at least, from what the line, the packets and one answer for each of them cost; and what then took longest.

import { encodePayload, headerBytes, osCommands } from '../protocol/index.js';
import { chunkBytes, type Sender } from './sender.js';
import type { SmpClient } from './smp-client.js';

export type Bottleneck = 'line' | 'round trips' | 'device';

export interface LineBound {
  readonly requests: number;
  /** Of requests and answers, as framed. */
  readonly wireBytes: number;
  /** What these take on the line; 0 where nothing limits it. */
  readonly lineMs: number;
  /** The requests alone, where answers travel the other way meanwhile. */
  readonly requestLineMs: number;
}

/** Bytes of an answer to a chunk: header and the offset. */
const answerBytes = headerBytes + encodePayload({ off: 0xffff }).byteLength;

/** What sending so many bytes of a file costs on a client's line, from an offset on. */
export function lineBound({ line }: SmpClient, name: string, bytes: number, maxPacketBytes: number): LineBound {
  const chunk = chunkBytes(name, bytes, bytes, maxPacketBytes);
  const requests = Math.ceil(bytes / chunk);
  const overhead = maxPacketBytes - chunk;
  const last = bytes - (requests - 1) * chunk;
  const requestBytes = (requests - 1) * line.wireBytes(maxPacketBytes) + line.wireBytes(last + overhead);
  const wireBytes = requestBytes + requests * line.wireBytes(answerBytes);
  const onLine = (sent: number): number => (line.bytesPerSecond === null ? 0 : (1000 * sent) / line.bytesPerSecond);
  return { requests, wireBytes, lineMs: onLine(wireBytes), requestLineMs: onLine(requestBytes) };
}

export interface Timing {
  readonly durationMs: number;
  readonly bytesPerSecond: number | null;
  readonly bottleneck: Bottleneck | null;
}

/** Times a transfer against what an echo took before it. */
export class Stopwatch {
  private readonly startMs = performance.now();

  private constructor(
    private readonly client: SmpClient,
    /** What one request costs beside its bytes. */
    private readonly turnaroundMs: number,
  ) {}

  static async start(client: SmpClient, signal?: AbortSignal): Promise<Stopwatch> {
    const begin = performance.now();
    const answer = await client.ask(osCommands.echo, { d: '' }, signal === undefined ? {} : { signal });
    const { line } = client;
    const echoBytes = 2 * line.wireBytes(headerBytes + encodePayload({ d: '' }).byteLength);
    const onLine = line.bytesPerSecond === null ? 0 : (1000 * echoBytes) / line.bytesPerSecond;
    return new Stopwatch(client, answer.ok ? Math.max(0, performance.now() - begin - onLine) : 0);
  }

  /** @param fileBytes of the file that are there now and were not before */
  end(sender: Sender, name: string, fileBytes: number): Timing {
    const durationMs = performance.now() - this.startMs;
    if (sender.sentBytes === 0) return { durationMs, bytesPerSecond: null, bottleneck: null };
    const bound = lineBound(this.client, name, sender.sentBytes, sender.limits.maxPacketBytes).lineMs;
    // A pseudo-terminal, or USB behind a serial port, is faster than its baud rate says.
    const lineMs = bound > durationMs ? 0 : bound;
    const tripsMs = (sender.requests * this.turnaroundMs) / sender.limits.buffers;
    const shares: [Bottleneck, number][] = [
      ['line', lineMs],
      ['round trips', tripsMs],
      ['device', durationMs - lineMs - tripsMs],
    ];
    shares.sort((a, b) => b[1] - a[1]);
    return { durationMs, bytesPerSecond: (1000 * fileBytes) / durationMs, bottleneck: shares[0]?.[0] ?? null };
  }
}
