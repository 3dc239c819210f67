/** Carries whole SMP packets both ways. What a transport adds (framing, topics) stays inside it. */
export interface Transport {
  /** For messages: the device's URI. */
  readonly name: string;
  readonly send: (packet: Uint8Array) => Promise<void>;
  /** Called with every packet that arrives. */
  onPacket: ((packet: Uint8Array) => void) | null;
  /** Called once, when the connection ends, from either side. */
  onClose: (() => void) | null;
  readonly close: () => Promise<void>;
}
