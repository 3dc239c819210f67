// A USB device that answers DFU requests with whatever it likes: flashing ends, with a coded error or as if all were
// well.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AtollError } from '../../../../src/base/errors.js';
import { dfuWay } from '../../../../src/devices/flashing/dfu/index.js';
import { placeInFlash } from '../../../../src/devices/flashing/index.js';
import type { UsbControlDevice } from '../../../../src/devices/transport/index.js';
import { loadTarget } from '../../../../src/targets/index.js';

const target = await loadTarget('disco-f746ng');
const image = new Uint8Array(5000).fill(7);
const place = placeInFlash(target, image.byteLength, null);
const how = { method: 'dfu', ids: [{ vendor: 0x0483, product: 0xdf11 }] } as const;
const layout = '@Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg';

/** What it does at one request. */
type Move = { readonly kind: 'answer'; readonly bytes: Uint8Array } | { readonly kind: 'stall' | 'vanish' };

const status = fc.record({ status: fc.integer({ min: 0, max: 20 }), state: fc.integer({ min: 0, max: 12 }) });
const move: fc.Arbitrary<Move> = fc.oneof(
  // It waits for nothing, or the test would.
  {
    weight: 6,
    arbitrary: status.map(({ status: s, state }) => ({
      kind: 'answer' as const,
      bytes: Uint8Array.of(s, 0, 0, 0, state, 0),
    })),
  },
  {
    weight: 2,
    arbitrary: fc
      .uint8Array({ maxLength: 64 })
      .map((bytes) => ({ kind: 'answer' as const, bytes: bytes.fill(0, 1, 4) })),
  },
  { weight: 1, arbitrary: fc.constantFrom<Move>({ kind: 'stall' }, { kind: 'vanish' }) },
);

function adversary(moves: readonly Move[], name: string, descriptors: Uint8Array): UsbControlDevice {
  let at = 0;
  const next = (): Move => moves[at++] ?? { kind: 'vanish' };
  const alternate = {
    alternateSetting: 0,
    interfaceClass: 0xfe,
    interfaceSubclass: 1,
    interfaceProtocol: 2,
    interfaceName: name,
    endpoints: [],
  };
  return {
    vendorId: 0x0483,
    productId: 0xdf11,
    opened: false,
    configurations: [
      { configurationValue: 1, interfaces: [{ interfaceNumber: 0, alternate, alternates: [alternate] }] },
    ],
    open: async () => undefined,
    close: async () => undefined,
    selectConfiguration: async () => undefined,
    claimInterface: async () => undefined,
    selectAlternateInterface: async () => undefined,
    clearHalt: async () => undefined,
    releaseInterface: async () => undefined,
    reset: async () => undefined,
    transferIn: async () => ({ status: 'stall' }),
    transferOut: async () => ({ status: 'stall', bytesWritten: 0 }),
    controlTransferIn: async ({ requestType }) => {
      if (requestType === 'standard') return { status: 'ok', data: new DataView(descriptors.slice().buffer) };
      const { kind, ...rest } = next();
      if (kind === 'vanish') throw new Error('controlTransferIn error: LIBUSB_ERROR_NO_DEVICE');
      return kind === 'stall'
        ? { status: 'stall' }
        : { status: 'ok', data: new DataView((rest as { bytes: Uint8Array }).bytes.slice().buffer) };
    },
    controlTransferOut: async (_setup, data) => {
      const { kind } = next();
      if (kind === 'vanish') throw new Error('controlTransferOut error: LIBUSB_ERROR_NO_DEVICE');
      return { status: kind === 'stall' ? 'stall' : 'ok', bytesWritten: data?.byteLength ?? 0 };
    },
  };
}

const functional = Uint8Array.of(
  9,
  2,
  27,
  0,
  1,
  1,
  0,
  0x80,
  50,
  9,
  4,
  0,
  0,
  0,
  0xfe,
  1,
  2,
  0,
  9,
  0x21,
  0x0b,
  0xff,
  0,
  0,
  4,
  0x1a,
  1,
);

test('random responses of a bootloader', async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(move, { maxLength: 40 }),
      fc.oneof({ weight: 4, arbitrary: fc.constant(layout) }, { weight: 1, arbitrary: fc.string() }),
      fc.oneof(
        { weight: 4, arbitrary: fc.constant(functional) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
      ),
      async (moves, name, descriptors) => {
        const device = adversary(moves, name, descriptors);
        try {
          const way = await dfuWay(async () => [device])({ target, image, place, choice: {} }, how as never);
          await way.write({});
        } catch (error) {
          expect(error).toBeInstanceOf(AtollError);
          expect((error as AtollError).code).not.toBe('INTERNAL');
          told += 1;
        }
      },
    ),
    { numRuns: 400 },
  );
  // Hardly any of them is a bootloader.
  expect(told).toBeGreaterThan(350);
});
