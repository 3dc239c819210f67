// One specification, two implementations: the simulated device, and the device side in C as a program (on emulated
// boards: test/boards).

import { DeviceClient } from '../../src/devices/client/index.js';
import { SimulatedDevice } from '../../src/devices/simulated/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { conforms, reach } from '../support/conformance.js';
import { buildFirmware, posixDevice } from '../support/firmware.js';

const target = 'qemu-mps2-an386';

conforms('the simulated device', [], target, async () => [
  new DeviceClient(new SimulatedDevice(await loadTarget(target)).connect()),
  null,
]);

for (const where of ['pty', 'tcp:0', 'udp:0']) {
  conforms(`the C implementation behind ${where}`, ['gcc', 'make'], target, async () => {
    await buildFirmware('posix');
    return reach(await posixDevice(where));
  });
}
