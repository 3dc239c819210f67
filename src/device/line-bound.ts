// How long a transfer must take at least, from what the line, the packets and one answer for each of them cost; and what then took longest.

import { encodePayload, headerBytes, osCommands } from '../protocol/index.js';
import { chunkBytes, type Sender } from './sender.js';
import { type PacketLimits, type SmpClient, signalOf } from './smp-client.js';

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

/** The fastest of so many counts: the first finds a device asleep, or a port just opened. */
const echoes = 3;

/** What sending will take, as far as line and turnaround tell: erasing and writing flash come on top. */
export interface UploadPlan {
  readonly bytes: number;
  readonly requests: number;
  readonly expectedMs: number;
  /** What most of that goes to. */
  readonly bottleneck: Bottleneck;
}

/** Foretells a transfer from what an echo took before it, and times it. */
export class Stopwatch {
  private readonly startMs = performance.now();

  private constructor(
    private readonly client: SmpClient,
    /** What one request costs beside its bytes. */
    private readonly turnaroundMs: number,
    /** A pseudo-terminal, or USB behind a serial port, is faster than its baud rate says. */
    private readonly lineLimits: boolean,
  ) {}

  static async start(client: SmpClient, signal?: AbortSignal): Promise<Stopwatch> {
    let tookMs = Infinity;
    for (let i = 0; i < echoes; i++) {
      const begin = performance.now();
      const { ok } = await client.ask(osCommands.echo, { d: '' }, signalOf(signal));
      if (ok) tookMs = Math.min(tookMs, performance.now() - begin);
    }
    const { line } = client;
    const echoBytes = 2 * line.wireBytes(headerBytes + encodePayload({ d: '' }).byteLength);
    const onLine = line.bytesPerSecond === null ? 0 : (1000 * echoBytes) / line.bytesPerSecond;
    const lineLimits = onLine > 0 && tookMs >= onLine;
    return new Stopwatch(client, tookMs === Infinity ? 0 : tookMs - (lineLimits ? onLine : 0), lineLimits);
  }

  plan(name: string, bytes: number, { maxPacketBytes, buffers }: PacketLimits): UploadPlan {
    const { requests, lineMs, requestLineMs } = lineBound(this.client, name, bytes, maxPacketBytes);
    const onLine = !this.lineLimits ? 0 : buffers > 1 ? requestLineMs : lineMs;
    const trips = (requests * this.turnaroundMs) / buffers;
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
