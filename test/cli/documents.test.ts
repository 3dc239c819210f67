// Every document that Atoll prints with --json follows the schema that it ships, in each of its forms.

import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeModel } from '../../src/formats/tflite/index.js';
import { atoll } from '../support/cli.js';
import { serving, simulateDevice } from '../support/device-process.js';
import { requireFollowsSchema, schemaNames } from '../support/documents.js';
import { compiledLike } from '../support/edgetpu-package.js';
import { floatBytes, temporaryFolder, writeFiles } from '../support/files.js';
import { denseModel, wideModel } from '../support/models.js';

const folder = temporaryFolder();
const samples = Array.from({ length: 60 * 4 }, (_, i) => Math.sin(i / 7) + 0.5 * Math.cos(i / 31));
writeFiles(folder, {
  'float.tflite': writeModel(denseModel()),
  'wide.tflite': writeModel(wideModel()),
  'data.bin': floatBytes(samples),
  'labels.csv': `${Array.from({ length: 60 }, (_, i) => i % 2).join('\n')}\n`,
  'data.yaml':
    'name: waves\ntask: classification\ninputs:\n  - {files: data.bin, type: float32, shape: [4]}\nlabels: ' +
    '{csv: labels.csv}\n',
  'atoll.yaml': 'name: waves\nmodel: float.tflite\ncalibrate: data.yaml\ndata: data.yaml\n',
  'wrong.yaml': 'id: wrong\nclock: fast\n',
});
mkdirSync(path.join(folder, 'drive'));
writeFiles(path.join(folder, 'drive'), { 'INFO_UF2.TXT': 'UF2 Bootloader v3.0\nBoard-ID: RPI-RP2\n' });
const compiler = path.resolve('test/support/fake-edgetpu-compiler.js');
const network = path.resolve('test/fixtures/source/convolutional.keras');
const at = (name: string): string => path.join(folder, name);

const seen = new Set<string>();
const stops: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

/** Runs a command and checks its document. Returns it. */
async function documentOf(command: string, env: Readonly<Record<string, string>> = {}): Promise<object> {
  const { stdout, stderr } = await atoll([...command.split(' '), '--json'], {
    cwd: folder,
    env: { ...process.env, ...env },
  });
  expect(stdout, `${command}: ${stderr}`).not.toBe('');
  const document = JSON.parse(stdout) as object;
  const name = requireFollowsSchema(document);
  expect(name, `${command}: ${stdout}`).toBe(command.split(' ')[0]);
  seen.add(name);
  return document;
}

test('models', async () => {
  await documentOf('quantize float.tflite --calibrate data.yaml -o int8.tflite --target pico --data data.yaml');
  await documentOf(
    'quantize float.tflite --calibrate data.yaml -o repaired.tflite --ranges auto --repair all --plan-memory ' +
      '--sparse --save-statistics statistics.json',
  );
  expect(requireFollowsSchema(JSON.parse(readFileSync(at('statistics.json'), 'utf8')))).toBe('calibration');
  seen.add('calibration');
  await documentOf('quantize float.tflite --calibrate data.yaml -o mixed.tflite --min-snr 60 --target pico');
  await documentOf('quantize float.tflite -o half.tflite --scheme float16');
  await documentOf(`convert ${network} -o network.tflite`);
  await documentOf(`inspect ${network}`);
  await documentOf('inspect float.tflite');
  await documentOf('inspect int8.tflite');
  await documentOf('advise float.tflite --target pico --data data.yaml --calibrate data.yaml');
  await documentOf('optimize float.tflite -o pruned.tflite --prune 50% --cluster 4 --calibrate data.yaml');
  await documentOf('optimize int8.tflite -o planned.tflite --plan-memory --target pico');
  await documentOf('compare float.tflite int8.tflite --data data.yaml --max-drop 50pt');
  await documentOf('compare float.tflite float.tflite --data data.yaml');
  for (const format of ['resolver', 'c-array', 'uf2', 'bin'])
    await documentOf(`export int8.tflite --format ${format} -o model.${format}.cc --target pico`);
  await documentOf('bundle int8.tflite --target pico -o int8.bundle');
  await documentOf('inspect int8.bundle');
  await documentOf('keys create line');
  await documentOf('keys show line.public.pem');
});

test('targets', async () => {
  await documentOf('targets');
  await documentOf('targets --validate wrong.yaml');
  await documentOf('check int8.tflite --target pico --memory');
  await documentOf('check wide.tflite --target pico');
  await documentOf('check float.tflite --target all');
  await documentOf('check int8.tflite --target coral-usb');
});

test('the compiler of the Edge TPU', async () => {
  const none = { PATH: path.dirname(process.execPath) };
  await documentOf('compile int8.tflite', none);
  writeFiles(folder, {
    'compiled.tflite': writeModel(compiledLike(denseModel(), [{ type: 0, parameterBytes: 64 }], 14)),
  });
  const fake = { FAKE_OUTPUT: at('compiled.tflite') };
  await documentOf(`compile int8.tflite --compiler ${compiler} -o int8_edgetpu.tflite`, fake);
  await documentOf('inspect int8_edgetpu.tflite');
  await documentOf(`compile int8.tflite --compiler ${compiler} -o other.tflite --bisect`, {
    ...fake,
    FAKE_FAILS: 'FULLY_CONNECTED',
  });
});

test('runs, on this host and on a device', async () => {
  await documentOf('run float.tflite --input data.bin --output out.bin --profile');
  await documentOf('run int8.tflite --input data.bin --device sim:pico');
  await documentOf('evaluate float.tflite --data data.yaml --min top1=0.01');
  const evaluated = await documentOf('evaluate int8.tflite --data data.yaml --device sim:pico');
  writeFiles(folder, { 'measured.json': JSON.stringify(evaluated) });
  await documentOf('targets calibrate --target pico --measured measured.json -o own.yaml');
  const deployed = await documentOf('deploy . --target pico --device sim:pico');
  expect(JSON.parse(readFileSync(at('build/report.json'), 'utf8'))).toEqual(deployed);
});

test('devices', async () => {
  const device = await simulateDevice('--target', 'pico', '--listen', 'tcp:127.0.0.1:0');
  stops.push(device.stop);
  seen.add('simulate-device');
  await documentOf(`push int8.tflite --device ${device.uri}`);
  await documentOf(`push int8.bundle --device ${device.uri}`);
  await documentOf(`push data.bin --path /atoll/inactive --device ${device.uri}`);
  await documentOf(`devices ${device.uri}`);
  await documentOf('flash int8.tflite --target pico --drive drive --dry-run');
  await documentOf('flash int8.tflite --target pico --drive drive');
  await documentOf('doctor');
  writeFiles(folder, { 'served.tflite': readFileSync(at('int8.tflite')) });
  writeFiles(folder, { 'served_edgetpu.tflite': readFileSync(at('int8_edgetpu.tflite')) });
  const served = await serving(
    'serve',
    ...['--device', 'sim:coral-usb', '--emulate', at('served_edgetpu.tflite'), '--listen', 'tcp:127.0.0.1:0'],
  );
  stops.push(served.stop);
  seen.add('serve');
});

test('fleets', async () => {
  const broker = await serving('broker', '--port', '0');
  stops.push(broker.stop);
  seen.add('broker');
  const fleet = `${broker.uri}/line`;
  const devices = await simulateDevice(
    '--target',
    'pico',
    '--listen',
    fleet,
    '--count',
    '2',
    '--fault',
    'wrong-result=50%',
  );
  stops.push(devices.stop);
  const store = { ATOLL_STORE: at('rollouts.sqlite') };
  await documentOf(`rollout plan --bundle int8.bundle --fleet ${fleet}`, store);
  await documentOf(`rollout start --bundle int8.bundle --fleet ${fleet} --html report.html`, store);
  for (const action of ['status', 'list', 'report --markdown report.md', 'abort'])
    await documentOf(`rollout ${action}`, store);
  await documentOf(`devices ${fleet}`);
  await devices.stop();
  await documentOf(`devices ${fleet} --forget pico-1`);
});

test('failures', async () => {
  const { stdout } = await atoll(['inspect', at('none.tflite'), '--json']);
  seen.add(requireFollowsSchema(JSON.parse(stdout)));
});

test('no schema is left unchecked', () => {
  expect([...seen].sort()).toEqual([...schemaNames].sort());
});

test('a document with another field, or without one, is noticed', () => {
  const document = { schema: 'atoll/broker/1', uri: 'mqtt://127.0.0.1', data: null, pid: 1 };
  expect(requireFollowsSchema(document)).toBe('broker');
  expect(() => requireFollowsSchema({ ...document, port: 1883 })).toThrow('unevaluated');
  expect(() => requireFollowsSchema({ ...document, pid: undefined })).toThrow('pid');
  expect(() => requireFollowsSchema({ ...document, pid: '1' })).toThrow('number');
});
