// A chunk of a file and the packet that carries it.

import { encodePayload, headerBytes } from '../protocol/index.js';

/** The length prefix of a byte string that is not empty, beyond that of an empty one. */
const lengthPrefixGrowth = 2;

/** How much data fits one packet beside header, keys and the length prefix of the data. */
export function chunkBytes(name: string, off: number, total: number, maxPacketBytes: number): number {
  return Math.max(1, maxPacketBytes - overheadBytes(name, off, total));
}

/** The packet that carries so many bytes of a file, wherever in it they are. */
export function packetBytes(name: string, data: number, total: number): number {
  return overheadBytes(name, total, total) + data;
}

function overheadBytes(name: string, off: number, total: number): number {
  const request = off === 0 ? { off: 0, len: total, name, data: new Uint8Array(0) } : { off, name, data: new Uint8Array(0) };
  return headerBytes + encodePayload(request).byteLength + lengthPrefixGrowth;
}
