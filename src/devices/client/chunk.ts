// A chunk of a file and the packet that carries it.

import { encodePayload, headerBytes } from '../protocol/index.js';

/** A CBOR byte string of up to 65,535 bytes has a length prefix of up to 3 bytes; an empty one has 1. */
const lengthPrefixGrowth = 2;

/** How many bytes of the file fit into one packet, after the SMP header and the CBOR encoding of the other fields. */
export function chunkBytes(name: string, off: number, total: number, maxPacketBytes: number): number {
  return Math.max(1, maxPacketBytes - overheadBytes(name, off, total));
}

/** Size of a packet that carries `data` bytes of a file, at any offset. */
export function packetBytes(name: string, data: number, total: number): number {
  return overheadBytes(name, total, total) + data;
}

function overheadBytes(name: string, off: number, total: number): number {
  const request =
    off === 0 ? { off: 0, len: total, name, data: new Uint8Array(0) } : { off, name, data: new Uint8Array(0) };
  return headerBytes + encodePayload(request).byteLength + lengthPrefixGrowth;
}
