// Targets beside the facts that are known of 25 boards, and their arenas beside what an interpreter on emulated cores
// reports.

import { expect } from 'vitest';
import { readModel } from '../../src/formats/tflite/index.js';
import { arenaOf } from '../../src/simulator/index.js';
import { loadLinkedSizes, loadShippedTargets, loadTarget, type Target } from '../../src/targets/index.js';
import { linkedBytes } from '../../src/targets/runtime-flash.js';
import { sharedBytes, sharedJson, sharedPresent, sharedTest } from '../support/shared.js';

interface Board {
  readonly id: string;
  readonly clock_mhz: number | null;
  readonly flash_bytes: number | null;
  readonly usb?: readonly { readonly vid: string; readonly pid: string }[];
}

const boards = sharedPresent ? sharedJson<{ boards: Board[] }>('facts', 'boards.json').boards : [];

sharedTest('there is a target for each of the 25 boards, and no other', async () => {
  expect(boards).toHaveLength(25);
  expect((await loadShippedTargets()).map(({ id }) => id)).toEqual(boards.map(({ id }) => id).sort());
});

const usbOf = ({ transports }: Target): number[] =>
  transports.flatMap((one) =>
    one.kind === 'usb' ? one.ids.map(({ vendor, product }) => 65536 * vendor + product) : [],
  );

for (const board of boards) {
  sharedTest(`${board.id}: clock, flash and USB ids are the known ones`, async () => {
    const target = await loadTarget(board.id);
    if (target.core !== null) expect(target.clockHz).toBe((board.clock_mhz as number) * 1e6);
    if (target.core !== null && board.flash_bytes !== null) expect(target.flash?.bytes).toBe(board.flash_bytes);
    const known = (board.usb ?? []).map(({ vid, pid }) => 65536 * Number.parseInt(vid, 16) + Number.parseInt(pid, 16));
    for (const id of usbOf(target)) expect(known).toContain(id);
  });
}

interface Measured {
  readonly isa: string;
  readonly kernels: string;
  readonly benchmark: string;
  readonly arena_used_bytes: number;
  readonly head_bytes: number;
  readonly flash_text_minus_model: number;
}

const files: Readonly<Record<string, string>> = {
  kws: 'kws_ref_model.tflite',
  vww: 'vww_96_int8.tflite',
  ic: 'pretrainedResnet_quant.tflite',
  ad: 'ad01_int8.tflite',
};
const measured = sharedPresent ? sharedJson<{ rows: Measured[] }>('facts', 'qemu-tflm-measurements.json').rows : [];

for (const { isa, kernels, benchmark, arena_used_bytes: arenaBytes, head_bytes: headBytes } of measured) {
  sharedTest(`arena of ${benchmark} with ${kernels} on ${isa}: to the byte`, () => {
    const file = files[benchmark] as string;
    const simd = isa.includes('MVE') ? 'mve' : isa.includes('DSP') ? 'dsp' : 'none';
    const arena = arenaOf(readModel(sharedBytes('models', 'mlperf-tiny', file), file), {
      library: kernels === 'CMSIS-NN' ? 'cmsis-nn' : 'reference',
      simd,
    });
    expect(arena).toMatchObject({ arenaBytes, headBytes });
  });
}

/** What the measured programs link; they print over semihosting too, which takes a few KB. */
const linkedOperators = [
  'CONV_2D',
  'DEPTHWISE_CONV_2D',
  'FULLY_CONNECTED',
  'AVERAGE_POOL_2D',
  'ADD',
  'SOFTMAX',
  'RESHAPE',
];

sharedTest('flash of the runtime is within 10 % of linked programs, for every build that is known', async () => {
  const sizes = await loadLinkedSizes();
  expect(sizes.length).toBeGreaterThan(0);
  for (const linked of sizes) {
    const row = measured.find(
      ({ isa, kernels }) =>
        isa.startsWith(`${linked.core} `) && (kernels === 'CMSIS-NN') === (linked.kernels === 'cmsis-nn'),
    );
    const bytes = linked.interpreterBytes + linkedBytes(linked, linkedOperators);
    expect(
      Math.abs(bytes / (row?.flash_text_minus_model as number) - 1),
      `${linked.kernels} on ${linked.core}: ${bytes}`,
    ).toBeLessThan(0.1);
  }
});
