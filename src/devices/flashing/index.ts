// Writes directly to a board's flash, without its firmware: through the drive or the DFU interface of its bootloader,
// or with an external program. Takes an image and its place; returns an available method, and then what it wrote.

import { AtollError, fail } from '../../base/errors.js';
import type { Flashing } from '../../targets/index.js';
import { dfuWay } from './dfu/index.js';
import { programWay } from './program-way.js';
import { uf2Way } from './uf2-way.js';
import type { FindWay, FlashJob, FlashWay } from './way.js';

export { claimDfu, dfuOf } from './dfu/attach.js';
export type { DfuInterface } from './dfu/requests.js';
export { type FlashPlace, hexAddress, placeInFlash } from './place.js';
export { type FlashCause, flashProgramNames } from './programs.js';
export type { FlashChoice, FlashResult, FlashWay } from './way.js';

const finders: { readonly [Method in Flashing['method']]: FindWay<Method> } = {
  uf2: uf2Way,
  dfu: dfuWay(),
  esptool: programWay,
  'probe-rs': programWay,
  openocd: programWay,
  bossac: programWay,
};

/**
 * The first available method of the target, or the requested one. Nothing is written yet.
 * @throws FLASH_NO_WAY if none is available, with the reason for each; USAGE for a method that the target does not have
 */
export async function findFlashWay(job: FlashJob): Promise<FlashWay> {
  const { target, choice } = job;
  // A named drive selects that method.
  const wanted = choice.method ?? (choice.drive === undefined ? undefined : 'uf2');
  const known = target.flashing.filter(({ method }) => wanted === undefined || method === wanted);
  if (known.length === 0) {
    const ways = target.flashing.map(({ method }) => method).join(', ');
    throw fail('USAGE', {
      reason:
        `${target.id} cannot be flashed by ${wanted ?? 'any method'}; ` +
        `${ways === '' ? target.flashMethod : `it is by ${ways}`}`,
    });
  }
  const lacking: string[] = [];
  for (const how of known) {
    try {
      return await (finders[how.method] as FindWay<Flashing['method']>)(job, how);
    } catch (error) {
      // A method that was requested fails with its own error; a refusal is not retried with another method.
      if (!(error instanceof AtollError) || known.length === 1 || error.code === 'FLASH_OUTSIDE') throw error;
      lacking.push(error.code === 'FLASH_NO_WAY' ? String(error.values.list) : `${how.method}: ${error.message}`);
    }
  }
  throw fail('FLASH_NO_WAY', { target: target.id, list: lacking.join('; ') });
}
