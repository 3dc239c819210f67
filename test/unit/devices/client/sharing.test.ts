import { expect, test } from 'vitest';
import { buildSlotImage } from '../../../../src/devices/bundle/index.js';
import { DeviceClient, push } from '../../../../src/devices/client/index.js';
import { SimulatedDevice } from '../../../../src/devices/simulated/index.js';
import { readModel, writeModel } from '../../../../src/formats/tflite/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { int8Dense } from '../../../support/models.js';
import { sharedBytes, sharedTest } from '../../../support/shared.js';

const target = await loadTarget('pico');
// Too large for one packet: inputs are written, run on and read one request after another.
const inputs = 4000;
const [first, second] = [int8Dense(inputs, 1), int8Dense(inputs, 2)];
const imageOf = (model: typeof first): Uint8Array => buildSlotImage(writeModel(model), model, target, {});
const sampleOf = (seed: number): Uint8Array => Uint8Array.from({ length: inputs }, (_, i) => (i * 31 + seed * 7) & 255);

test('two clients of one device get their own responses', async () => {
  const device = new SimulatedDevice(target);
  const clients = [new DeviceClient(device.connect()), new DeviceClient(device.connect())];
  const pushed = await push(clients[0] as DeviceClient, imageOf(first));
  const simulator = new Interpreter(first);
  const runners = await Promise.all(clients.map((client) => client.runner(first, pushed.model)));
  const work = runners.map(async (runner, who) => {
    for (let seed = who; seed < 20; seed += 2)
      expect((await runner.run(sampleOf(seed), undefined)).output).toEqual(simulator.run(sampleOf(seed)));
  });
  await Promise.all(work);
  for (const client of clients) await client.close();
});

test('a client whose model is replaced by another gets an error, not results of the other model', async () => {
  const device = new SimulatedDevice(target);
  const [mine, other] = [new DeviceClient(device.connect()), new DeviceClient(device.connect())];
  const pushed = await push(mine, imageOf(first));
  const runner = await mine.runner(first, pushed.model);
  await runner.run(sampleOf(1), undefined);
  await push(other, imageOf(second));
  await expect(runner.run(sampleOf(1), undefined)).rejects.toMatchObject({
    code: 'DEVICE_ERROR',
    message: expect.stringContaining('another client has activated'),
  });
  for (const client of [mine, other]) await client.close();
});

sharedTest(
  'while one runs what never ends, the device answers others, then ends it and goes on',
  { timeout: 30_000 },
  async () => {
    const board = await loadTarget('stm32h743');
    const device = new SimulatedDevice(board);
    const [mine, other] = [
      new DeviceClient(device.connect(), { timeoutMs: 20_000 }),
      new DeviceClient(device.connect()),
    ];
    const bytes = sharedBytes('cases', 'endless-while', 'while-inf.tflite');
    // The bare model: self-test vectors cannot be computed for a model that never ends.
    const pushed = await push(mine, bytes);
    const runner = await mine.runner(readModel(bytes), pushed.model);
    let ended = false;
    const run = runner.run(new Uint8Array(new Interpreter(readModel(bytes)).inputBytes), undefined).finally(() => {
      ended = true;
    });
    const outcome = expect(run).rejects.toMatchObject({
      code: 'DEVICE_ERROR',
      message: expect.stringContaining('the watchdog stopped it'),
    });
    let answers = 0;
    while (!ended) {
      await other.describe();
      answers += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await outcome;
    expect(answers).toBeGreaterThan(5);
    expect((await other.slots()).some(({ active }) => active)).toBe(true);
    for (const client of [mine, other]) await client.close();
  },
);
