// Report on one model: node model-report.js PYTHON FILE RUNTIMES
//
// Prints one JSON object: result of inspect, verdicts of each runtime for the model and for each scheme, results of
// check on all targets.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as tflite from '../../dist/formats/tflite/index.js';
import {
  AtollError,
  checkModel,
  inspect,
  loadTarget,
  openDataset,
  quantize,
  readModel,
  schemeNames,
  shippedTargets,
} from '../../dist/index.js';
import { count } from '../fixtures/operators/build.js';
import { judge } from './judge.js';
import { randomFrom } from './random.js';
import { subjectOf } from './subject.js';

const calibrationSamples = 4;
/** Number of frames for models that keep state. */
const framesOfStream = 5;

const [python = '', file = '', runtimes = ''] = process.argv.slice(2);
const bytes = await readFile(file);
const name = path.basename(file, '.tflite');

async function reportOn() {
  const read = await tried(() => readModel(bytes));
  if (read.error !== undefined) return { name, read: read.error };
  const model = read.value;
  const inspected = await tried(() => inspect(model, bytes));
  const schemes = isFloat(model) ? await inSchemes(model) : {};
  const written = Object.entries(schemes).filter(([scheme, { file }]) => scheme !== 'float32' && file !== undefined);
  const verdicts = await verdictsOn({
    itself: bytes,
    ...Object.fromEntries(written.map(([scheme, { file }]) => [scheme, file])),
  });
  return {
    name,
    read: 'ok',
    inspect: inspected.error ?? 'ok',
    operators: operatorsOf(model),
    ran: verdicts.itself,
    schemes: Object.fromEntries(
      Object.entries(schemes).map(([scheme, { error, file }]) => [
        scheme,
        { error, bytes: file?.length, ran: verdicts[scheme] },
      ]),
    ),
    check: await checked(model),
  };
}

/** Returns coded errors as results. Any other error is a bug and ends the script. */
async function tried(work) {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof AtollError) || error.code === 'INTERNAL') throw error;
    return { error: `${error.code}: ${error.message}` };
  }
}

const operatorsOf = (model) => [
  ...new Set(
    model.subgraphs.flatMap(({ operators }) => operators.map((operator) => tflite.operatorName(model, operator))),
  ),
];

const isFloat = ({ subgraphs: [main] }) =>
  Array.from(main.inputs).every((index) => tflite.elementTypeOf(main.tensors[index]) === 'float32');

const isStateful = ({ subgraphs }) =>
  subgraphs.some(({ tensors }) =>
    tensors.some((tensor) => tensor.isVariable || tflite.elementTypeOf(tensor) === 'resource'),
  );

/** Verdicts for each file, by kernel profile. */
async function verdictsOn(variants) {
  const verdicts = {};
  const subjects = [];
  for (const [variant, file] of Object.entries(variants)) {
    verdicts[variant] = {};
    try {
      subjects.push(subjectOf(variant, file, { frames: isStateful(readModel(file)) ? framesOfStream : 1 }));
    } catch (error) {
      verdicts[variant].error = error.message;
    }
  }
  if (subjects.length === 0) return verdicts;
  for (const { name: variant, profile, verdict, operator, detail, tensors } of await judge(subjects, {
    python,
    runtimes: runtimes.split(','),
  }))
    verdicts[variant][profile] = { verdict, operator, detail, tensors };
  return verdicts;
}

/** The quantized file of each scheme, or the error. */
async function inSchemes(model) {
  const folder = await mkdtemp(path.join(tmpdir(), 'atoll-model-'));
  try {
    const results = {};
    for (const scheme of schemeNames) {
      const made = await tried(async () => quantize(model, [await randomSamples(model, folder)], { scheme }));
      results[scheme] = made.error === undefined ? { file: made.value.bytes } : { error: made.error };
    }
    return results;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A dataset of random samples in the shapes of the model's inputs. */
async function randomSamples({ subgraphs: [main] }, folder) {
  const random = randomFrom(7);
  const inputs = Array.from(main.inputs, (index, i) => ({
    files: `${i}.bin`,
    type: 'float32',
    shape: Array.from(main.tensors[index].shape ?? []),
  }));
  for (const { files, shape } of inputs)
    await writeFile(
      path.join(folder, files),
      Float32Array.from({ length: calibrationSamples * count(shape) }, () => random.bell()),
    );
  await writeFile(
    path.join(folder, 'random.yaml'),
    JSON.stringify({ name: 'random', task: 'none', state: 'per-sample', inputs }),
  );
  return openDataset(path.join(folder, 'random.yaml'));
}

async function checked(model) {
  const tally = {};
  for (const id of await shippedTargets()) {
    const target = await loadTarget(id);
    const result = await tried(() => checkModel(model, target, bytes.length));
    const outcome =
      result.error !== undefined
        ? result.error.split(':')[0]
        : result.value.fits
          ? 'fits'
          : (result.value.reasons[0]?.code ?? 'no reason');
    tally[outcome] = (tally[outcome] ?? 0) + 1;
  }
  return tally;
}

process.stdout.write(JSON.stringify(await reportOn()));
