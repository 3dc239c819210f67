import type { AtollError } from '../errors.js';

/** What becomes of packets on their way. */
export interface Line {
  /** The largest packet that a receiver with a buffer of so many bytes takes. */
  readonly largestPacket: (bufferBytes: number) => number;
  /** What goes over the line for a packet. */
  readonly wireBytes: (packetBytes: number) => number;
  /** null where nothing limits it but the two ends. */
  readonly bytesPerSecond: number | null;
}

/** A line that carries packets as they are. */
export const plainLine: Line = { largestPacket: (bufferBytes) => bufferBytes, wireBytes: (packetBytes) => packetBytes, bytesPerSecond: null };

/** Carries whole SMP packets both ways. What a transport adds (framing, topics) stays inside it. */
export interface Transport {
  /** For messages: the device's URI. */
  readonly name: string;
  readonly send: (packet: Uint8Array) => Promise<void>;
  readonly line: Line;
  /** Called with every packet that arrives. */
  onPacket: ((packet: Uint8Array) => void) | null;
  /** Called with what the device logs beside its packets, line by line. */
  onLog: ((line: string) => void) | null;
  /** Called once, when the connection ends, from either side. @param reason null where this side ended it; an error where it is known what it is */
  onClose: ((reason: string | AtollError | null) => void) | null;
  readonly close: () => Promise<void>;
}
