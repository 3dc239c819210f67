// How long a transfer must take at least, from what the line, the packets and one answer for each of them cost; and what then took longest.

import { encodePayload, headerBytes } from '../protocol/index.js';
import { chunkBytes } from './chunk.js';
import type { LineTiming } from './line-timing.js';
import type { Sender } from './sender.js';
import type { PacketLimits, SmpClient } from './smp-client.js';

export type Bottleneck = 'line' | 'round trips' | 'device';

export interface LineBound {
  readonly requests: number;
  /** Of requests and answers, as framed. */
  readonly wireBytes: number;
  /** Of the requests alone, as framed. */
  readonly requestBytes: number;
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
  return { requests, wireBytes, requestBytes, lineMs: onLine(wireBytes), requestLineMs: onLine(requestBytes) };
}

/** What sending will take, as far as line and turnaround tell: erasing and writing flash come on top. */
export interface UploadPlan {
  readonly bytes: number;
  readonly requests: number;
  readonly expectedMs: number;
  /** What most of that goes to. */
  readonly bottleneck: Bottleneck;
}

export interface Timing {
  readonly durationMs: number;
  readonly bytesPerSecond: number | null;
  readonly bottleneck: Bottleneck | null;
}

/** Predicts how long a transfer takes, and times it. */
export class Stopwatch {
  private readonly startMs = performance.now();

  constructor(
    private readonly client: SmpClient,
    private readonly timing: LineTiming,
  ) {}

  plan(name: string, bytes: number, { maxPacketBytes, buffers }: PacketLimits): UploadPlan {
    const { requests, wireBytes, requestBytes } = lineBound(this.client, name, bytes, maxPacketBytes);
    const onLine = this.timing.onLineMs(buffers > 1 ? requestBytes : wireBytes);
    const trips = (requests * this.timing.turnaroundMs) / buffers;
    return { bytes, requests, expectedMs: onLine + trips, bottleneck: onLine >= trips ? 'line' : 'round trips' };
  }

  /** @param fileBytes of the file that are there now and were not before */
  end(sender: Sender, name: string, fileBytes: number): Timing {
    const durationMs = performance.now() - this.startMs;
    if (sender.sentBytes === 0) return { durationMs, bytesPerSecond: null, bottleneck: null };
    const { expectedMs, bottleneck } = this.plan(name, sender.sentBytes, sender.limits);
    return { durationMs, bytesPerSecond: (1000 * fileBytes) / durationMs, bottleneck: durationMs > 2 * expectedMs ? 'device' : bottleneck };
  }
}
