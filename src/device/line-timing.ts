// How long an answer takes on a device's line, measured with echoes. From that follow how long to wait for an answer, and how long a transfer takes.

import { encodePayload, headerBytes, osCommands } from '../protocol/index.js';
import { type SmpClient, signalOf } from './smp-client.js';

/** The fastest of so many counts: the first may find a device asleep, or a port just opened. */
const echoes = 3;
const echoRequest = { d: '' };
const echoBytes = headerBytes + encodePayload(echoRequest).byteLength;

/** An answer that takes longer than so many round trips, and this time at least, is probably lost. */
const patientRoundTrips = 8;
const shortestPatienceMs = 100;

export class LineTiming {
  private constructor(
    private readonly client: SmpClient,
    /** From the last byte of a request to the first of its answer; 0 where echoes are refused. */
    readonly turnaroundMs: number,
    /** False where the port is faster than its baud rate says: a pseudo-terminal, or USB behind a serial port. */
    private readonly lineLimits: boolean,
  ) {}

  /** @throws DEVICE_TIMEOUT, DEVICE_CLOSED */
  static async measure(client: SmpClient, signal?: AbortSignal): Promise<LineTiming> {
    let fastestMs = Infinity;
    for (let i = 0; i < echoes; i++) {
      const begin = performance.now();
      const { ok } = await client.ask(osCommands.echo, echoRequest, signalOf(signal));
      if (ok) fastestMs = Math.min(fastestMs, performance.now() - begin);
    }
    const { line } = client;
    const onLineMs = line.bytesPerSecond === null ? 0 : (1000 * 2 * line.wireBytes(echoBytes)) / line.bytesPerSecond;
    const lineLimits = onLineMs > 0 && fastestMs >= onLineMs;
    return new LineTiming(client, fastestMs === Infinity ? 0 : fastestMs - (lineLimits ? onLineMs : 0), lineLimits);
  }

  /** Time that so many bytes, as framed, take on the line; 0 where the line is no limit. */
  onLineMs(wireBytes: number): number {
    const { bytesPerSecond } = this.client.line;
    return bytesPerSecond === null || !this.lineLimits ? 0 : (1000 * wireBytes) / bytesPerSecond;
  }

  /** Time after which the answer to a request of so many bytes, which may be as long, is probably lost. */
  patienceMs(packetBytes: number): number {
    const { line } = this.client;
    const roundTripMs = this.turnaroundMs + this.onLineMs(2 * line.wireBytes(echoBytes));
    return Math.max(shortestPatienceMs, patientRoundTrips * roundTripMs) + 2 * this.onLineMs(line.wireBytes(packetBytes));
  }
}
