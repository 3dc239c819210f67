// The 8-byte SMP header, big-endian (Zephyr doc/services/device_mgmt/smp_protocol.rst).

import { fail } from '../../base/errors.js';

export const headerBytes = 8;
/** Limit of the header's length field. */
export const maxPacketBytes = headerBytes + 0xffff;

/** Operations: a response's is its request's plus one. */
export const Op = { read: 0, readResponse: 1, write: 2, writeResponse: 3 } as const;
export type Op = (typeof Op)[keyof typeof Op];

export interface SmpHeader {
  /** 0: legacy (v1), 1: v2. */
  readonly version: number;
  readonly op: Op;
  readonly group: number;
  readonly sequence: number;
  readonly command: number;
}

export interface SmpPacket extends SmpHeader {
  readonly payload: Uint8Array;
}

export function encodePacket(packet: SmpPacket): Uint8Array {
  const { version, op, group, sequence, command, payload } = packet;
  if (payload.byteLength > 0xffff) throw fail('INTERNAL', { reason: `an SMP payload of ${payload.byteLength} bytes` });
  const out = new Uint8Array(headerBytes + payload.byteLength);
  const view = new DataView(out.buffer);
  view.setUint8(0, (version << 3) | op);
  view.setUint16(2, payload.byteLength);
  view.setUint16(4, group);
  view.setUint8(6, sequence);
  view.setUint8(7, command);
  out.set(payload, headerBytes);
  return out;
}

/** @throws SMP_MALFORMED */
export function decodePacket(bytes: Uint8Array): SmpPacket {
  if (bytes.byteLength < headerBytes)
    throw fail('SMP_MALFORMED', { reason: `${bytes.byteLength} bytes; a header has ${headerBytes}` });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(0);
  const version = (first >> 3) & 3;
  const op = first & 7;
  const length = view.getUint16(2);
  if (version > 1) throw fail('SMP_MALFORMED', { reason: `version bits ${version}` });
  if (op > Op.writeResponse) throw fail('SMP_MALFORMED', { reason: `operation ${op}` });
  if (headerBytes + length !== bytes.byteLength) {
    throw fail('SMP_MALFORMED', {
      reason: `the header announces ${length} bytes of payload, but ${bytes.byteLength - headerBytes} follow`,
    });
  }
  return {
    version,
    op: op as Op,
    group: view.getUint16(4),
    sequence: view.getUint8(6),
    command: view.getUint8(7),
    payload: bytes.subarray(headerBytes),
  };
}
