import type { AtollError } from '../../base/errors.js';

/** Properties of the line that carries the packets. */
export interface LineProperties {
  /** The largest packet that fits into a receive buffer of the given size. */
  readonly maxPacketBytes: (bufferBytes: number) => number;
  /** The largest packet up to the given size whose last frame is full; the given size if it is less than a frame. */
  readonly wholeFrames: (packetBytes: number) => number;
  /** Number of bytes on the line for a packet. */
  readonly wireBytes: (packetBytes: number) => number;
  /** null if nothing limits it except both ends. */
  readonly bytesPerSecond: number | null;
}

/** A line that carries packets without framing. */
export const plainLine: LineProperties = {
  maxPacketBytes: (bufferBytes) => bufferBytes,
  wholeFrames: (packetBytes) => packetBytes,
  wireBytes: (packetBytes) => packetBytes,
  bytesPerSecond: null,
};

/** What came over a line since it was opened, including packets. */
export interface Received {
  readonly bytes: number;
  /** Bytes that belong to neither text nor frames. */
  readonly unreadable: number;
  /** The latest lines of text, the oldest first. */
  readonly text: readonly string[];
}

/** Carries whole SMP packets in both directions. Framing and topics are internal to it. */
export interface Transport {
  /** The device's URI, for messages. */
  readonly name: string;
  readonly send: (packet: Uint8Array) => Promise<void>;
  readonly line: LineProperties;
  /** Called with every packet that arrives. */
  onPacket: ((packet: Uint8Array) => void) | null;
  /** Called with each log line of the device. */
  onLog: ((line: string) => void) | null;
  /**
   * Called once, when the connection ends from either side.
   * @param reason null if this side ended it; an error if the cause is known
   */
  onClose: ((reason: string | AtollError | null) => void) | null;
  /** Absent if packets are sent as a whole. */
  readonly received?: Received;
  /**
   * Milliseconds between pieces of a packet, for a receiver that loses faster data; absent if packets are sent as a
   * whole.
   */
  pauseMs?: number;
  readonly close: () => Promise<void>;
}
