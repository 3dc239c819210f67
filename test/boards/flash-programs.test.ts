// The programs that flash boards, as they are, without a board: they take our command lines, and their complaints
// become errors with a way out.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { expect } from 'vitest';
import { sharedPath, sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';

const model = sharedPath('models', 'mlperf-tiny', 'kws_ref_model.tflite');

function flash(...args: readonly string[]): Promise<{ code: string; message: string; hint: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [path.resolve('bin/atoll.js'), 'flash', model, ...args, '--json'],
      { timeout: 50_000 },
      (_error, stdout) => {
        resolve((JSON.parse(stdout) as { error: { code: string; message: string; hint: string } }).error);
      },
    );
  });
}

toolTest('openocd')
  .skipIf(!sharedPresent)
  .each(['disco-f746ng', 'nucleo-l4r5zi', 'stm32h743', 'nucleo-g0b1re', 'nucleo-h7a3zi-q', 'nucleo-u575zi-q', 'pico'])(
  'openocd has the scripts of %s, and looks for its probe',
  async (target) => {
    const { code, message, hint } = await flash('--target', target, '--method', 'openocd');
    expect(code).toBe('FLASH_PROGRAM');
    // It got as far as looking for the probe: the scripts and the command were understood.
    expect(message).toMatch(/open failed|unable to find a matching|no device found/i);
    expect(hint).toContain('debug probe');
    expect(hint).toMatch(/program \{.*model\.bin\} 0x[0-9a-f]+ verify reset exit/);
  },
);

toolTest('bossac').skipIf(!sharedPresent)('bossac looks for the bootloader at the port', async () => {
  const { code, message, hint } = await flash('--target', 'nano33ble', '--method', 'bossac', '--port', '/dev/null');
  expect({ code, message }).toEqual({
    code: 'FLASH_PROGRAM',
    message: 'bossac did not write the model: exit code 1: No device found on /dev/null',
  });
  expect(hint).toContain('reset button twice');
});

toolTest('esptool').skipIf(!sharedPresent).each(['esp32', 'esp32s3', 'esp32c3'])(
  'esptool knows the chip of %s, and opens the port',
  async (target) => {
    const { code, message, hint } = await flash('--target', target, '--method', 'esptool', '--port', '/dev/null');
    expect(code).toBe('FLASH_PROGRAM');
    expect(message).toContain('Could not open /dev/null');
    expect(hint).toContain('name the port');
  },
);
