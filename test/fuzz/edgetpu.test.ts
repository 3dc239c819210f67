// Damaged compiled models: a coded error, or one that the emulated accelerator runs or refuses; never a crash or a
// hang.

import { expect, test } from 'vitest';
import { AtollError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import {
  AcceleratedModel,
  type Accelerator,
  attachAccelerator,
  EmulatedAccelerator,
} from '../../src/devices/accelerator/index.js';
import { readModel, writeModel } from '../../src/formats/tflite/index.js';
import { compiledPair, pairWithEdges } from '../support/compiled-pair.js';

const rounds = 40 * Number(process.env.ATOLL_FUZZ_ROUNDS ?? 25);
const interesting = [0, 1, 4, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff];

test(`${rounds} mutations of compiled models`, { timeout: 600_000 }, async () => {
  const random = seededRandom(2026);
  const draw = (below: number): number => Math.floor(random() * below);
  const pairs = [compiledPair(), pairWithEdges()];
  const files = pairs.map(({ compiled }) => writeModel(compiled));
  const usb = new EmulatedAccelerator({ models: pairs });
  const attach = (): Promise<Accelerator> =>
    attachAccelerator('usb:18d1:9302', { devices: usb.devices, settleMs: 0, timeoutMs: 50 });
  let accelerator = await attach();
  const outcomes = { refused: 0, stopped: 0, ran: 0 };
  for (let round = 0; round < rounds; round++) {
    const bytes = Buffer.from(files[round % files.length] as Uint8Array);
    for (let edits = 1 + draw(3); edits > 0; edits--) {
      const at = draw(bytes.length - 4);
      if (draw(2) === 0) bytes[at] = draw(256);
      else
        bytes.writeUInt32LE(
          draw(2) === 0 ? (interesting[draw(interesting.length)] as number) : draw(bytes.length),
          at - (at % 4),
        );
    }
    const start = performance.now();
    let what: keyof typeof outcomes = 'refused';
    try {
      const model = new AcceleratedModel(readModel(bytes, 'damaged'), 'damaged');
      what = 'stopped';
      await model.run(accelerator, new Uint8Array(model.inputBytes));
      what = 'ran';
    } catch (error) {
      if (!(error instanceof AtollError) || error.code === 'INTERNAL')
        throw new Error(`round ${round}: ${String(error)}`, { cause: error });
    }
    outcomes[what] += 1;
    expect(performance.now() - start, `round ${round}`).toBeLessThan(5000);
    if (!accelerator.broken) continue;
    await accelerator.close();
    accelerator = await attach();
  }
  await accelerator.close();
  // Each of the three has been met, or the mutations were none.
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(rounds / 50);
});
