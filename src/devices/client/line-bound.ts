// Predicts the duration of a transfer from the line's speed, the packet overhead and one answer for each packet, and
// names the bottleneck.

import { encodePayload, headerBytes } from '../protocol/index.js';
import { chunkBytes } from './chunk.js';
import type { LineTiming } from './line-timing.js';
import type { Sender } from './sender.js';
import type { PacketLimits, SmpClient } from './smp-client.js';

/** What takes most of the time of an upload. */
export type Bottleneck = 'line' | 'round trips' | 'device';

export interface LineBound {
  readonly requests: number;
  /** Bytes of requests and answers together, including framing. */
  readonly wireBytes: number;
  /** Bytes of the requests, including framing. */
  readonly requestBytes: number;
  /** Transmission time of requests and answers; 0 if the line has no known speed. */
  readonly lineMs: number;
  /** Transmission time of the requests alone, for lines that carry answers at the same time (full duplex). */
  readonly requestLineMs: number;
}

/** Bytes of an answer to a chunk: header and the offset. */
const answerBytes = headerBytes + encodePayload({ off: 0xffff }).byteLength;

/** Cost of sending a number of bytes of a file over a client's line. */
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

/** Predicted duration as far as line and turnaround determine it; erasing and writing flash comes on top. */
export interface UploadPlan {
  readonly bytes: number;
  /** Number of packets. */
  readonly requests: number;
  /** Predicted duration, in milliseconds. */
  readonly expectedMs: number;
  /** The largest part of that time. */
  readonly bottleneck: Bottleneck;
}

export interface Timing {
  readonly durationMs: number;
  readonly bytesPerSecond: number | null;
  readonly bottleneck: Bottleneck | null;
}

/** Predicts the duration of a transfer, and measures it. */
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

  /** @param fileBytes bytes of the file that were added by this transfer */
  end(sender: Sender, name: string, fileBytes: number): Timing {
    const durationMs = performance.now() - this.startMs;
    if (sender.sentBytes === 0) return { durationMs, bytesPerSecond: null, bottleneck: null };
    const { expectedMs, bottleneck } = this.plan(name, sender.sentBytes, sender.limits);
    return {
      durationMs,
      bytesPerSecond: (1000 * fileBytes) / durationMs,
      bottleneck: durationMs > 2 * expectedMs ? 'device' : bottleneck,
    };
  }
}
