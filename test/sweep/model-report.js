// One public model, tried with everything that Atoll does to models: node model-report.js PYTHON FILE RUNTIMES
//
// Prints one JSON object: what inspect says, verdicts of each runtime, of each scheme, and what check finds on every target.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AtollError, checkModel, inspect, loadTarget, quantize, readModel, schemeNames, shippedTargets, tflite } from 'atoll-agent';
import { judge } from './judge.js';
import { randomFrom } from './random.js';
import { subjectOf } from './subject.js';

const calibrationSamples = 4;
/** Invocations of a model that keeps state. */
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
  const verdicts = await verdictsOn({ itself: bytes, ...Object.fromEntries(written.map(([scheme, { file }]) => [scheme, file])) });
  return {
    name,
    read: 'ok',
    inspect: inspected.error ?? 'ok',
    operators: operatorsOf(model),
    ran: verdicts.itself,
    schemes: Object.fromEntries(Object.entries(schemes).map(([scheme, { error, file }]) => [scheme, { error, bytes: file?.length, ran: verdicts[scheme] }])),
    check: await checked(model),
  };
}

/** A coded error is an answer; anything else is a fault of ours, and ends the script. */
async function tried(work) {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof AtollError) || error.code === 'INTERNAL') throw error;
    return { error: `${error.code}: ${error.message}` };
  }
}

const operatorsOf = (model) => [...new Set(model.subgraphs.flatMap(({ operators }) => operators.map((operator) => tflite.operatorName(model, operator))))];

const isFloat = ({ subgraphs: [main] }) => Array.from(main.inputs).every((index) => tflite.elementTypeOf(main.tensors[index]) === 'float32');

const isStateful = ({ subgraphs }) =>
  subgraphs.some(({ tensors }) => tensors.some((tensor) => tensor.isVariable || tflite.elementTypeOf(tensor) === 'resource'));

/** For each file the verdicts by profile. */
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
  for (const { name: variant, profile, verdict, operator, detail, tensors } of await judge(subjects, { python, runtimes: runtimes.split(',') }))
    verdicts[variant][profile] = { verdict, operator, detail, tensors };
  return verdicts;
}

/** The file of each scheme, or why there is none. */
async function inSchemes(model) {
  const results = {};
  for (const scheme of schemeNames) {
    const made = await tried(() => quantize(model, [randomSamples(model)], { scheme }));
    results[scheme] = made.error === undefined ? { file: made.value.bytes } : { error: made.error };
  }
  return results;
}

/** Calibration data of the inputs' shapes. */
function randomSamples({ subgraphs: [main] }) {
  const random = randomFrom(7);
  const shapes = Array.from(main.inputs, (index) => Array.from(main.tensors[index].shape ?? []));
  const values = (shape) => Float32Array.from({ length: elementsOf(shape) }, () => random.unit() + random.unit() + random.unit() - 1.5);
  const samples = Array.from({ length: calibrationSamples }, () => shapes.map(values));
  return {
    name: 'random',
    path: 'random.yaml',
    task: 'none',
    metric: null,
    windows: null,
    classes: null,
    signature: null,
    output: null,
    state: 'per-sample',
    warnings: [],
    sharesFiles: false,
    seed: 0,
    inputs: shapes.map((shape) => ({ name: null, shape, integers: false })),
    hasLabels: false,
    hasTargets: false,
    count: samples.length,
    async *samples(limit = samples.length) {
      for (const [index, inputs] of samples.slice(0, limit).entries()) yield { index, continues: false, inputs, label: null, targets: null };
    },
  };
}

const elementsOf = (shape) => shape.reduce((product, size) => product * size, 1);

async function checked(model) {
  const tally = {};
  for (const id of await shippedTargets()) {
    const target = await loadTarget(id);
    const result = await tried(() => checkModel(model, target, bytes.length));
    const outcome = result.error !== undefined ? result.error.split(':')[0] : result.value.fits ? 'fits' : (result.value.reasons[0]?.code ?? 'no reason');
    tally[outcome] = (tally[outcome] ?? 0) + 1;
  }
  return tally;
}

process.stdout.write(JSON.stringify(await reportOn()));
