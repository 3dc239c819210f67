// Limits a stream to the speed of a serial line: bytes are delivered when such a line would have transmitted the last
// of them. Each direction is limited separately.

import { Duplex, Transform } from 'node:stream';

/** Bits per byte on a serial line, with start and stop bit. */
export const bitsPerByte = 10;

export function paced(stream: Duplex, bytesPerSecond: number): Duplex {
  const incoming = slow(bytesPerSecond);
  const outgoing = slow(bytesPerSecond);
  stream.pipe(incoming);
  outgoing.pipe(stream);
  stream.on('error', (error) => incoming.destroy(error)).on('close', () => incoming.destroy());
  return Duplex.from({ readable: incoming, writable: outgoing });
}

function slow(bytesPerSecond: number): Transform {
  let free = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      const now = performance.now();
      free = Math.max(free, now) + (1000 * chunk.byteLength) / bytesPerSecond;
      setTimeout(() => done(null, chunk), free - now);
    },
  });
}
