// How long an answer takes on a device's line, measured with echoes. From that follow how long to wait for an answer,
// and how long a transfer takes.

import { encodePayload, headerBytes, osCommands } from '../protocol/index.js';
import { type SmpClient, signalOf } from './smp-client.js';

/** Number of echoes, of which the fastest counts: the device may be asleep or the port just opened at the first. */
const echoes = 3;
const echoRequest = { d: '' };
const echoBytes = headerBytes + encodePayload(echoRequest).byteLength;

/** An answer is considered lost after this many round trips, and not before the minimum time. */
const patientRoundTrips = 8;
const minTimeoutMs = 100;

export class LineTiming {
  private constructor(
    private readonly client: SmpClient,
    /** Time from the last byte of a request to the first byte of its answer; 0 if the device rejects echo requests. */
    readonly turnaroundMs: number,
    /** False if the port is faster than its baud rate: a pseudo-terminal, or a USB serial port. */
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

  /** Transmission time of a number of framed bytes; 0 if the line has no known speed. */
  onLineMs(wireBytes: number): number {
    const { bytesPerSecond } = this.client.line;
    return bytesPerSecond === null || !this.lineLimits ? 0 : (1000 * wireBytes) / bytesPerSecond;
  }

  /**
   * Time after which the answer to a request of this size is considered lost. The answer may be as long as the request.
   */
  timeoutMs(packetBytes: number): number {
    const { line } = this.client;
    const roundTripMs = this.turnaroundMs + this.onLineMs(2 * line.wireBytes(echoBytes));
    return Math.max(minTimeoutMs, patientRoundTrips * roundTripMs) + 2 * this.onLineMs(line.wireBytes(packetBytes));
  }
}
