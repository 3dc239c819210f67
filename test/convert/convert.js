// Converts Keras models and runs the results in LiteRT beside Keras.
//
//   npm run test:convert -- --python PYTHON [--out FOLDER] [--networks all|none|NAME,NAME]
//
// Models of one layer (keras_layers.py) and networks of keras.applications (keras_networks.py), each as .keras and .h5.
// Every output, and every layer of a network that is still a tensor, must be within 1e-4 of the tensor's largest
// magnitude; a network must have no more operators and bytes than TensorFlow's converter makes of it. Ends with
// status 1 otherwise.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { loadModel } from '../../dist/app/load-model.js';
import { mainSubgraph, readModel } from '../../dist/formats/tflite/index.js';

const run = promisify(execFile);
const maxError = 1e-4;
const allNetworks = [
  'MobileNet',
  'MobileNetV2',
  'MobileNetV3Small',
  'EfficientNetB0',
  'EfficientNetV2B0',
  'ResNet50',
  'ResNet50V2',
  'ResNet101V2',
  'DenseNet121',
  'NASNetMobile',
  'Xception',
  'InceptionV3',
  'ConvNeXtTiny',
  'VGG16',
];

const { values: options } = parseArgs({
  options: { python: { type: 'string' }, out: { type: 'string' }, networks: { type: 'string', default: 'all' } },
});
if (options.python === undefined) {
  console.error('name a Python that has the packages of test/convert/requirements.txt: --python PYTHON');
  process.exit(2);
}
const python = options.python;
const out = options.out ?? (await mkdtemp(path.join(os.tmpdir(), 'atoll-convert-')));
const networks = { all: allNetworks, none: [] }[options.networks] ?? options.networks.split(',');
const failures = [];

await compareLayers(path.join(out, 'layers'));
for (const name of networks) await compareNetwork(path.join(out, 'networks'), name);
for (const failure of failures) console.error(`failed: ${failure}`);
console.log(failures.length === 0 ? 'all within the limits' : `${failures.length} failures`);
process.exit(failures.length === 0 ? 0 : 1);

async function compareLayers(folder) {
  await mkdir(folder, { recursive: true });
  await script('keras_layers.py', 'make', folder, []);
  const files = (await readdir(folder)).filter((file) => /\.(keras|h5)$/.test(file));
  for (const file of files) await convertFile(folder, file);
  const results = await script('keras_layers.py', 'compare', folder, []);
  let worst = 0;
  for (const { name, kind, error } of results) {
    if (!(error <= maxError)) failures.push(`${name}.${kind}: ${error}`);
    else worst = Math.max(worst, error);
  }
  if (results.length < 240) failures.push(`only ${results.length} models of layers were compared`);
  console.log(`${results.length} models of layers, largest difference ${worst.toExponential(1)}`);
}

async function compareNetwork(folder, name) {
  await mkdir(folder, { recursive: true });
  await script('keras_networks.py', 'make', folder, [name]);
  for (const kind of ['keras', 'h5']) await convertFile(folder, `${name}.${kind}`);
  const theirs = await sizeOf(path.join(folder, `${name}.tensorflow.tflite`));
  for (const { kind, layers, worst, error, outputError } of await script('keras_networks.py', 'compare', folder, [
    name,
  ])) {
    const ours = await sizeOf(path.join(folder, `${name}.${kind}.atoll.tflite`));
    console.log(
      `${`${name}.${kind}`.padEnd(24)} output ${outputError.toExponential(1)}, ${layers} layers up to ` +
        `${error.toExponential(1)} (${worst}); operators ${ours.operators} of ${theirs.operators}, ` +
        `bytes ${ours.bytes} of ${theirs.bytes}`,
    );
    if (!(error <= maxError && outputError <= maxError)) failures.push(`${name}.${kind}: ${worst} by ${error}`);
    if (ours.operators > theirs.operators) failures.push(`${name}.${kind}: ${ours.operators} operators`);
    if (ours.bytes > theirs.bytes) failures.push(`${name}.${kind}: ${ours.bytes} bytes`);
  }
}

async function convertFile(folder, file) {
  try {
    const { bytes } = await loadModel(path.join(folder, file));
    await writeFile(path.join(folder, `${file}.atoll.tflite`), bytes);
  } catch (error) {
    failures.push(`${file}: ${error.code ?? error.stack}: ${error.message}`);
  }
}

async function sizeOf(file) {
  const bytes = new Uint8Array(await readFile(file));
  return { operators: mainSubgraph(readModel(bytes, file)).operators.length, bytes: bytes.byteLength };
}

/** Runs a script of this folder. @returns the JSON objects that it prints */
async function script(name, verb, folder, names) {
  const { stdout } = await run(python, [path.join(import.meta.dirname, name), verb, folder, ...names], {
    maxBuffer: 1e8,
  });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}
