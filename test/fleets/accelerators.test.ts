// Hosts with accelerators in a fleet: served from the command line, pushed to, and reached by rollouts. The
// accelerators are emulated.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { writeModel } from '../../src/formats/tflite/index.js';
import { embeddedBroker, mosquitto } from '../support/brokers.js';
import { atoll, jsonOf } from '../support/cli.js';
import { compiledPair } from '../support/compiled-pair.js';
import { serving } from '../support/device-process.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const file = (name: string): string => path.join(folder, name);
const sample = Uint8Array.from({ length: 160 }, (_, i) => (i * 29) & 255);

function prepare(): readonly string[] {
  for (const [name, seed] of [
    ['first', 1],
    ['second', 7],
  ] as const) {
    const { compiled, uncompiled } = compiledPair(seed);
    writeFiles(folder, {
      [`${name}_edgetpu.tflite`]: writeModel(compiled),
      [`${name}.tflite`]: writeModel(uncompiled),
      'samples.bin': sample,
    });
  }
  return [
    '--device',
    'sim:coral-usb',
    '--emulate',
    file('first_edgetpu.tflite'),
    '--emulate',
    file('second_edgetpu.tflite'),
  ];
}

async function served(...options: readonly string[]) {
  const device = await serving('serve', ...options);
  closers.push(device.stop);
  return device;
}

test('served over TCP: pushed to, run on, and its model is there after a restart', async () => {
  const emulated = prepare();
  const first = await served(...emulated, '--listen', 'tcp:0', '--state', file('state'), '--id', 'pi');
  const pushed = await atoll(['push', file('first_edgetpu.tflite'), '--device', first.uri, '--json']);
  expect({ code: pushed.code, ...jsonOf(pushed) }).toMatchObject({
    code: 0,
    device: 'pi',
    target: 'coral-usb',
    changed: true,
    selfTest: { vectors: 4, failed: 0 },
  });
  expect(await first.stop()).toBe(0);
  const second = await served(...emulated, '--listen', 'tcp:0', '--state', file('state'), '--id', 'pi');
  const again = await atoll(['push', file('first_edgetpu.tflite'), '--device', second.uri, '--json']);
  expect(jsonOf(again)).toMatchObject({ changed: false });
  const run = await atoll([
    'run',
    file('first_edgetpu.tflite'),
    '--input',
    file('samples.bin'),
    '--device',
    second.uri,
    '--json',
  ]);
  expect(jsonOf(run)).toMatchObject({
    samples: 2,
    measurement: { agreement: { samples: 2, equalSamples: 2, agrees: true } },
  });
  const uncompiled = await atoll(['push', file('first.tflite'), '--device', second.uri, '--json']);
  expect({ code: uncompiled.code, ...jsonOf(uncompiled) }).toMatchObject({
    code: 1,
    error: { code: 'EDGETPU_UNCOMPILED' },
  });
});

test('a model that the emulated accelerator does not know is refused, with a hint', async () => {
  prepare();
  const state = file('another');
  const device = await served(
    '--device',
    'sim:coral-usb',
    '--emulate',
    file('first_edgetpu.tflite'),
    '--listen',
    'tcp:0',
    '--state',
    state,
  );
  const pushed = await atoll(['push', file('second_edgetpu.tflite'), '--device', device.uri]);
  expect(pushed).toMatchObject({ code: 4, stderr: expect.stringMatching(/IMAGE_INVALID.*emulated.*--emulate/s) });
  const second = await atoll([
    'serve',
    '--device',
    'sim:coral-usb',
    '--emulate',
    file('first_edgetpu.tflite'),
    '--listen',
    'tcp:0',
    '--state',
    state,
  ]);
  expect(second).toMatchObject({ code: 3, stderr: expect.stringContaining('STATE_BUSY') });
});

test.each([
  [['--device', 'sim:pico', '--listen', 'tcp:0'], 'sim:coral-usb'],
  [['--device', 'sim:coral-usb', '--listen', 'tcp:0'], '--emulate'],
  [['--device', 'usb:coral-usb', '--emulate', 'm_edgetpu.tflite', '--listen', 'tcp:0'], '--emulate is for'],
  [
    ['--device', 'sim:coral-usb', '--emulate', 'm_edgetpu.tflite', '--listen', 'tcp:0', '--tag', 'a=b'],
    '--tag and --data',
  ],
  [['--device', 'sim:coral-usb', '--emulate', 'm.tflite', '--listen', 'tcp:0'], 'NAME_edgetpu.tflite'],
])('serve %s is refused: it means nothing', async (options, reason) => {
  expect(await atoll(['serve', ...options])).toMatchObject({ code: 2, stderr: expect.stringContaining(reason) });
});

test('a model that fails verification is abandoned: the previous model continues', { timeout: 60_000 }, async () => {
  const emulated = prepare();
  const broker = await embeddedBroker();
  closers.push(broker.stop);
  const uri = `${broker.uri}/plant`;
  const state = file('proving');
  const before = await served(...emulated, '--listen', `${uri}/pi-9`, '--state', state);
  expect((await atoll(['push', file('first_edgetpu.tflite'), '--device', `${uri}/pi-9`])).code).toBe(0);
  await before.stop();
  const running = () =>
    JSON.parse(readFileSync(path.join(state, 'slots.json'), 'utf8')).slots.find(
      ({ active }: { active: boolean }) => active,
    );
  const { sha256 } = running();
  // Samples of another size than the model takes.
  writeFiles(folder, {
    'x.bin': new Uint8Array(10),
    'labels.csv': '0\n',
    'data.yaml':
      'name: tens\ntask: classification\ninputs: [{ files: x.bin, type: uint8, shape: [10] }]\nlabels: { csv: ' +
      'labels.csv, header: false, label: 0 }\nmetric: top1\n',
  });
  await served(...emulated, '--listen', `${uri}/pi-9`, '--state', state, '--data', file('data.yaml'));
  expect(
    (await atoll(['bundle', file('second_edgetpu.tflite'), '--target', 'coral-usb', '-o', file('proving.bundle')]))
      .code,
  ).toBe(0);
  const env = { ...process.env, ATOLL_STORE: file('proving.sqlite') };
  const rolled = await atoll(
    ['rollout', 'start', '--bundle', file('proving.bundle'), '--waves', '1', '--fleet', uri, '--json'],
    { env },
  );
  expect(jsonOf(rolled), rolled.stderr).toMatchObject({ counts: { failed: 1 } });
  expect(running()).toMatchObject({ sha256, confirmed: true });
});

toolTest('mosquitto').each([
  ['our own broker', embeddedBroker],
  ['mosquitto', () => mosquitto(folder)],
])('in a fleet at %s: rollouts reach it, one model after another', { timeout: 60_000 }, async (_, start) => {
  const emulated = prepare();
  const broker = await start();
  closers.push(broker.stop);
  const fleet = `${broker.uri}/plant`;
  for (const id of ['pi-1', 'pi-2']) await served(...emulated, '--listen', `${fleet}/${id}`, '--tag', 'line=a');
  const env = { ...process.env, ATOLL_STORE: file(`${Math.random()}.sqlite`) };
  for (const name of ['first', 'second']) {
    const bundled = await atoll([
      'bundle',
      file(`${name}_edgetpu.tflite`),
      '--target',
      'coral-usb',
      '-o',
      file(`${name}.bundle`),
    ]);
    expect(bundled.code).toBe(0);
    const rolled = await atoll(
      ['rollout', 'start', '--bundle', file(`${name}.bundle`), '--waves', '1,100%', '--fleet', fleet, '--json'],
      { env },
    );
    expect(rolled, rolled.stderr).toMatchObject({ code: 0 });
    expect(jsonOf(rolled)).toMatchObject({ phase: 'done', counts: { confirmed: 2 } });
  }
  // It is spoken to directly as well.
  const run = await atoll([
    'run',
    file('second_edgetpu.tflite'),
    '--input',
    file('samples.bin'),
    '--device',
    `${fleet}/pi-1`,
    '--json',
  ]);
  expect(jsonOf(run)).toMatchObject({ measurement: { agreement: { equalSamples: 2, agrees: true } } });
});
