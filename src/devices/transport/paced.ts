// A stream as slow as a serial line: bytes come out when such a line would have carried the last of them. Each
// direction has its own.

import { Duplex, Transform } from 'node:stream';

/** On a serial line, with start and stop. */
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
