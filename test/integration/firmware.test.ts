// Real models on the device side in C, as a program of this machine.

import { push } from '../../src/device/index.js';
import { buildFirmware, posixDevice } from '../support/firmware.js';
import { during, equalsSimulator, realModel, samplesFor } from '../support/real-models.js';
import { sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';

const onHost = toolTest('gcc', 'make').skipIf(!sharedPresent);

onHost.each(['kws_ref_model', 'vww_96_int8', 'ad01_int8', 'pretrainedResnet_quant'])('%s on this machine: the bits of the simulator', async (name) => {
  await buildFirmware('posix');
  const { model, image } = realModel(name);
  await during(await posixDevice('tcp:0'), async (device) => {
    const { model: sha } = await push(device, image);
    const runner = await device.runner(model, sha);
    const sampleBytes = runner.inputs.reduce((sum, { bytes }) => sum + bytes, 0);
    await equalsSimulator(device, model, sha, samplesFor(name, sampleBytes, 20));
  });
});
