import { expect, test } from 'vitest';
import { functionsIn } from '../../../../src/devices/flashing/dfu/attach.js';
import { parseMemoryLayout } from '../../../../src/devices/flashing/dfu/memory-layout.js';

// Names as ST's documents and devices have them.
test.each([
  ['@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg', 'Internal Flash', 12, 0x08100000],
  ['@Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg', 'Internal Flash', 8, 0x08100000],
  ['@Option Bytes  /0x1FFFC000/01*016 e', 'Option Bytes', 1, 0x1fffc010],
  ['@External Flash /0x90000000/2*1Mg', 'External Flash', 2, 0x90200000],
])('%s', (text, name, count, end) => {
  const layout = parseMemoryLayout(text);
  expect(layout).toMatchObject({ name });
  expect(layout?.sectors).toHaveLength(count);
  expect(layout?.sectors.at(-1)?.end).toBe(end);
});

test('the letter gives the allowed operations: a is read-only, g all, e read and write without erase', () => {
  const rights = (letter: string) => parseMemoryLayout(`@x/0x0/1*4K${letter}`)?.sectors[0];
  expect(rights('a')).toMatchObject({ readable: true, erasable: false, writable: false });
  expect(rights('e')).toMatchObject({ readable: true, erasable: false, writable: true });
  expect(rights('g')).toMatchObject({ readable: true, erasable: true, writable: true });
});

test.each([
  '',
  'model',
  '@Flash',
  '@Flash/zero/1*1Kg',
  '@Flash/0x0/1*1Kz',
  '@Flash/0x0/0*0Kg,1*0Kg',
  '@Flash/0x0/99999999*1Kg',
  '@Flash/0x100000000/1*1Kg',
])('no layout: %j', (text) => {
  expect(parseMemoryLayout(text)).toBeNull();
});

test('the functional descriptor is taken from its interface, and a broken chain of descriptors is none', () => {
  const view = (...bytes: number[]) => new DataView(Uint8Array.from(bytes).buffer);
  const other = [9, 4, 0, 0, 0, 0xff, 0, 0, 0, 9, 0x21, 1, 0, 0, 64, 0, 0x10, 1];
  const ours = [9, 4, 1, 0, 0, 0xfe, 1, 2, 0, 9, 0x21, 0x0b, 0xff, 0, 0, 8, 0x1a, 1];
  expect(functionsIn(view(...other, ...ours), 1)).toEqual({
    canDownload: true,
    canUpload: true,
    detachesItself: true,
    transferBytes: 2048,
    isDfuSe: true,
  });
  expect(functionsIn(view(...other), 1)).toBeNull();
  expect(functionsIn(view(9, 4, 1, 0, 0, 0xfe, 1, 2, 0, 0, 0x21), 1)).toBeNull();
  expect(functionsIn(view(9, 4, 1, 0, 0, 0xfe, 1, 2, 0, 200, 0x21), 1)).toBeNull();
});
