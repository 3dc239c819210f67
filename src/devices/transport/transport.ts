import type { AtollError } from '../../base/errors.js';

/** What becomes of packets on their way. */
export interface LineProperties {
  /** The largest packet that a receiver with a buffer of so many bytes takes. */
  readonly maxPacketBytes: (bufferBytes: number) => number;
  /**
   * The largest packet up to so many bytes whose last frame is full, so that no frame is wasted; so many bytes where
   * less than a frame is asked for.
   */
  readonly wholeFrames: (packetBytes: number) => number;
  /** What goes over the line for a packet. */
  readonly wireBytes: (packetBytes: number) => number;
  /** null where nothing limits it but the two ends. */
  readonly bytesPerSecond: number | null;
}

/** A line that carries packets as they are. */
export const plainLine: LineProperties = {
  maxPacketBytes: (bufferBytes) => bufferBytes,
  wholeFrames: (packetBytes) => packetBytes,
  wireBytes: (packetBytes) => packetBytes,
  bytesPerSecond: null,
};

/** What came over a line since it was opened, packets included. */
export interface Received {
  readonly bytes: number;
  /** Bytes that belong to neither text nor frames. */
  readonly unreadable: number;
  /** The latest lines of text, the oldest first. */
  readonly text: readonly string[];
}

/** Carries whole SMP packets both ways. What a transport adds (framing, topics) stays inside it. */
export interface Transport {
  /** For messages: the device's URI. */
  readonly name: string;
  readonly send: (packet: Uint8Array) => Promise<void>;
  readonly line: LineProperties;
  /** Called with every packet that arrives. */
  onPacket: ((packet: Uint8Array) => void) | null;
  /** Called with what the device logs beside its packets, line by line. */
  onLog: ((line: string) => void) | null;
  /**
   * Called once, when the connection ends, from either side.
   * @param reason null where this side ended it; an error where it is known what it is
   */
  onClose: ((reason: string | AtollError | null) => void) | null;
  /** Absent where packets travel whole. */
  readonly received?: Received;
  /**
   * Milliseconds between pieces of a packet, for a receiver that loses what comes faster; absent where packets travel
   * whole.
   */
  pauseMs?: number;
  readonly close: () => Promise<void>;
}
