// A transport whose other side is a function: it sees each request and sends what it wants.

import {
  type CborMap,
  decodeMap,
  decodePacket,
  encodeMap,
  encodePacket,
  type SmpPacket,
} from '../../src/devices/protocol/index.js';
import { plainLine, type Transport } from '../../src/devices/transport/transport.js';

export type LineScript = (request: SmpPacket, send: (packet: SmpPacket) => void) => void;

export interface ScriptedLine {
  readonly transport: Transport;
  /** Every request, repetitions too. */
  readonly sent: SmpPacket[];
}

export function scriptedLine(script: LineScript, more: Partial<Transport> = {}): ScriptedLine {
  const sent: SmpPacket[] = [];
  const transport: Transport = {
    name: 'test:device',
    line: plainLine,
    onPacket: null,
    onLog: null,
    onClose: null,
    send: async (bytes) => {
      const request = decodePacket(bytes);
      sent.push(request);
      script(request, (packet) => transport.onPacket?.(encodePacket(packet)));
    },
    close: async () => transport.onClose?.(null),
    ...more,
  };
  return { transport, sent };
}

/** The response to a request. @param changes of the packet, for responses that do not fit */
export function responseTo(
  request: SmpPacket,
  map: Record<string, unknown>,
  changes: Partial<SmpPacket> = {},
): SmpPacket {
  return { ...request, op: (request.op + 1) as SmpPacket['op'], payload: encodeMap(map as CborMap), ...changes };
}

/** The map that a request carries. */
export function mapOf({ payload }: SmpPacket): CborMap {
  return decodeMap(payload, 'a request');
}
