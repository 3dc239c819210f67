// The console's lines against documented ones (smp's packet.py, and vectors computed from the text of Zephyr's
// smp_transport.rst), and what decoders make of pieces, noise and damage.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc16 } from '../../../../src/devices/protocol/crc16.js';
import {
  ConsoleDecoder,
  consoleBytes,
  encodeConsole,
  encodePacket,
  maxLineBytes,
  RawDecoder,
} from '../../../../src/devices/protocol/index.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

function decoded(pieces: Iterable<Uint8Array>, largest = 65543): { packets: Uint8Array[]; log: string[] } {
  const packets: Uint8Array[] = [];
  const log: string[] = [];
  const decoder = new ConsoleDecoder(
    { onPacket: (packet) => packets.push(packet), onLog: (line) => log.push(line) },
    largest,
  );
  for (const piece of pieces) decoder.add(piece);
  return { packets, log };
}

const echo = '0a00000900000000 a161646568656c6c6f';

describe('console lines', () => {
  test.each([
    ['echo request', bytes(echo), 'ABMKAAAJAAAAAKFhZGVoZWxsb6J/'],
    ['echo response', bytes('0b00000900000000 a161726568656c6c6f'), 'ABMLAAAJAAAAAKFhcmVoZWxsbyTD'],
    ['params request', bytes('0800000100000106 a0'), 'AAsIAAABAAABBqBEIw=='],
    ['the documented text', text('Hello, world!'), 'AA9IZWxsbywgd29ybGQhet4='],
  ])('%s', (_, packet, base64) => {
    const line = Buffer.concat([bytes('0609'), text(base64), text('\n')]);
    expect(Buffer.from(encodeConsole(packet))).toEqual(line);
    expect(decoded([line])).toEqual({ packets: [packet], log: [] });
  });

  test('the CRC has the documented check value', () => {
    expect(crc16(text('123456789'))).toBe(0x31c3);
  });

  test('lines are at most 127 bytes, and as long as predicted', () => {
    for (const length of [8, 88, 89, 90, 181, 182, 183, 2044, 65533]) {
      const lines = encodeConsole(new Uint8Array(length).fill(0xa5));
      expect(lines.byteLength).toBe(consoleBytes(length));
      const lengths = Buffer.from(lines)
        .toString('latin1')
        .split('\n')
        .map((line) => line.length + 1);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(maxLineBytes);
    }
  });

  test('packets come through in any pieces, with log between them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), { maxLength: 4 }),
        fc.array(fc.nat(300), { minLength: 1 }),
        (packets, steps) => {
          const stream = Buffer.concat(packets.flatMap((packet, i) => [text(`log ${i}\r\n`), encodeConsole(packet)]));
          const pieces: Uint8Array[] = [];
          for (let at = 0, i = 0; at < stream.byteLength; i++) {
            const step = 1 + (steps[i % steps.length] as number);
            pieces.push(stream.subarray(at, at + step));
            at += step;
          }
          expect(decoded(pieces)).toEqual({ packets, log: packets.map((_, i) => `log ${i}`) });
        },
      ),
    );
  });

  test('a log line without a newline does not swallow the next frame', () => {
    expect(decoded([text('booting...'), encodeConsole(bytes(echo))])).toEqual({
      packets: [bytes(echo)],
      log: ['booting...'],
    });
  });

  test('a CRC on a separate line, and a new frame within another', () => {
    const long = new Uint8Array(91).fill(7);
    const lines = Buffer.from(encodeConsole(long)).toString('latin1').split('\n');
    expect(lines.length).toBe(3);
    expect(decoded([text(`${lines[0]}\n`), encodeConsole(bytes(echo))]).packets).toEqual([bytes(echo)]);
    expect(decoded([text(lines.join('\n'))]).packets).toEqual([long]);
    // What goes on after nothing is no frame.
    expect(decoded([text(`${lines[1]}\n`)])).toEqual({ packets: [], log: [] });
  });

  test('any single damaged byte loses the packet, and never yields another one', () => {
    const good = Buffer.from(encodeConsole(new Uint8Array(120).map((_, i) => i)));
    fc.assert(
      fc.property(fc.nat(good.byteLength - 2), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] as number) ^ flip;
        for (const packet of decoded([bad]).packets)
          expect(Buffer.from(packet)).toEqual(Buffer.from(new Uint8Array(120).map((_, i) => i)));
      }),
      { numRuns: 500 },
    );
  });

  test('noise, lengths that are too large and lines without end cost no memory and no later packet', () => {
    const noise = Buffer.alloc(200_000, 'x');
    const tooLong = encodeConsole(new Uint8Array(600));
    const { packets, log } = decoded([noise, text('\n'), tooLong, encodeConsole(bytes(echo))], 500);
    expect(packets).toEqual([bytes(echo)]);
    expect(Math.max(...log.map((line) => line.length))).toBeLessThanOrEqual(1024);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (garbage) => {
        const after = decoded([garbage, text('\n'), encodeConsole(bytes(echo))]).packets;
        expect(after.at(-1)).toEqual(bytes(echo));
      }),
    );
  });
});

describe('packets one after another', () => {
  const packet = (length: number) =>
    encodePacket({
      version: 1,
      op: 3,
      group: 8,
      sequence: length & 0xff,
      command: 0,
      payload: new Uint8Array(length).fill(0xff),
    });
  const raw = (pieces: Iterable<Uint8Array>, largest: number): Uint8Array[] => {
    const packets: Uint8Array[] = [];
    const decoder = new RawDecoder({ onPacket: (one) => packets.push(one) }, largest);
    for (const piece of pieces) decoder.add(piece);
    return packets;
  };

  test('in any pieces', () => {
    const packets = [packet(1), packet(0), packet(3000), packet(5)];
    const stream = Buffer.concat(packets);
    for (const step of [1, 2, 7, 8, 9, 1000, 1e6]) {
      const pieces = Array.from({ length: Math.ceil(stream.byteLength / step) }, (_, i) =>
        stream.subarray(i * step, (i + 1) * step),
      );
      expect(raw(pieces, 65543)).toEqual(packets);
    }
  });

  test('packets that are too long are ignored, and bytes that cannot start a packet are skipped', () => {
    expect(raw([packet(3000), packet(4)], 100)).toEqual([packet(4)]);
    expect(raw([text('ATOLL'), packet(4)], 100)).toEqual([packet(4)]);
  });
});
