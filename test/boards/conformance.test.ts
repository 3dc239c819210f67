// What every device must do, on Cortex-M boards that QEMU emulates.

import { conforms, reach } from '../support/conformance.js';
import { buildFirmware, qemuBoard } from '../support/firmware.js';

for (const machine of ['mps2-an386', 'mps2-an500'] as const) {
  conforms(`${machine} under QEMU`, ['arm-none-eabi-gcc', 'make', 'qemu-system-arm'], `qemu-${machine}`, async () => {
    await buildFirmware('qemu');
    return reach(await qemuBoard({ machine }));
  });
}
