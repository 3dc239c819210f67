// Random graphs, compared tensor by tensor with TensorFlow and TFLite Micro.
//
//   npm run sweep -- --python PYTHON [--count 1000] [--seed 1] [--only OPERATOR] [--without tflm] [--out FOLDER]
//
// PYTHON has the packages that requirements.txt names; --without tflm leaves out the one that only Python 3.13 takes. Graph number N of a run is made of seed + N alone: `--seed S --count 1` makes it again.
// Each difference is cut down to its first operator, fed with what that operator read in the runtime; --out keeps these models.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compare } from './compare.js';
import { documentedReason } from './documented.js';
import { generate } from './generate.js';

const allProfiles = { tflm: 'tflm-reference', 'tflite-reference': 'tflite-reference', 'tflite-optimized': 'tflite-optimized' };
const batchSize = 200;

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    without: { type: 'string', multiple: true, default: [] },
    out: { type: 'string' },
  },
});
const python = options.python ?? process.env.ATOLL_SWEEP_PYTHON;
if (python === undefined) {
  process.stderr.write('sweep: name a Python that has the packages of test/sweep/requirements.txt: --python PYTHON, or ATOLL_SWEEP_PYTHON\n');
  process.exit(2);
}
const profiles = Object.entries(allProfiles).filter(([runtime]) => !options.without.includes(runtime));
const [count, seed] = [Number(options.count), Number(options.seed)];

const tallies = new Map();
const differences = [];
let tensors = 0;
let graphs = 0;
for (let first = 0; first < count; first += batchSize) {
  const batch = [];
  for (let i = first; i < Math.min(count, first + batchSize); i++) {
    const graph = generate(seed + i, { only: options.only });
    if (graph !== null) batch.push({ name: String(seed + i), ...graph });
  }
  graphs += batch.length;
  await judge(batch);
  process.stderr.write(`${graphs} graphs, ${tensors} tensors, ${differences.length} differences\n`);
}
report();

async function judge(batch) {
  const folder = await mkdtemp(path.join(tmpdir(), 'atoll-sweep-'));
  try {
    await writeBatch(folder, batch);
    // Two at a time: most of it is loading the runtimes.
    const waiting = profiles.map(([name]) => name);
    const work = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await runtime(folder, name);
    };
    await Promise.all([work(), work()]);
    for (const [name, profile] of profiles) await judgeRuntime(folder, batch, name, profile);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function writeBatch(folder, batch) {
  for (const { name, model, inputs } of batch) {
    await writeFile(path.join(folder, `${name}.tflite`), model);
    for (const [k, input] of inputs.entries()) await writeFile(path.join(folder, `${name}.${k}.bin`), input);
  }
  const index = batch.map(({ name, inputs, runtimes, produced }) => ({ name, inputs: inputs.length, runtimes, tensors: produced }));
  await writeFile(path.join(folder, 'index.json'), JSON.stringify(index));
}

async function runtime(folder, name) {
  const script = new URL('runtimes.py', import.meta.url).pathname;
  const child = spawn(python, [script, folder, name], { stdio: ['ignore', 'inherit', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-4000);
  });
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${errors}`);
}

async function judgeRuntime(folder, batch, name, profile) {
  const answers = JSON.parse(await readFile(path.join(folder, `${name}.json`), 'utf8'));
  const data = await readFile(path.join(folder, `${name}.bin`));
  for (const graph of batch) {
    const answer = answers[graph.name];
    if (answer === undefined) continue;
    const results =
      answer.tensors === undefined
        ? undefined
        : new Map(Object.entries(answer.tensors).map(([index, [at, bytes]]) => [Number(index), data.subarray(at, at + bytes)]));
    const compared = compare(graph.model, graph.inputs, profile, { error: answer.error, tensors: results });
    const judged = documentedReason(compared, profile) === null ? compared : { ...compared, verdict: 'documented' };
    tensors += results?.size ?? 0;
    const key = `${profile}: ${judged.verdict}`;
    tallies.set(key, (tallies.get(key) ?? 0) + 1);
    if (['same', 'both refuse', 'not registered', 'documented'].includes(judged.verdict)) continue;
    differences.push({ seed: graph.name, profile, description: graph.description, ...judged });
    if (options.out !== undefined) await keep(graph, profile, judged);
  }
}

async function keep(graph, profile, { shrunk }) {
  const folder = options.out;
  await mkdir(folder, { recursive: true });
  const name = path.join(folder, `${graph.name}.${profile}`);
  const { model, inputs, outputs = [] } = shrunk ?? graph;
  await writeFile(`${name}.tflite`, model);
  await writeFile(`${name}.in`, Buffer.concat(inputs));
  if (outputs.length > 0) await writeFile(`${name}.out`, Buffer.concat(outputs));
}

function report() {
  for (const [key, number] of [...tallies].toSorted(([a], [b]) => a.localeCompare(b))) process.stdout.write(`${key}: ${number}\n`);
  if (options.out !== undefined)
    writeFileSync(
      path.join(options.out, 'differences.json'),
      JSON.stringify(
        differences.map(({ shrunk, ...rest }) => rest),
        null,
        1,
      ),
    );
  const groups = new Map();
  for (const difference of differences) {
    const key = `${difference.profile}: ${difference.verdict}: ${difference.operator}`;
    groups.set(key, [...(groups.get(key) ?? []), difference]);
  }
  for (const [key, group] of [...groups].toSorted(([a], [b]) => a.localeCompare(b))) {
    process.stdout.write(`\n${key}: ${group.length}\n`);
    for (const { seed: number, description, detail } of group.slice(0, 4))
      process.stdout.write(`  seed ${number}: ${detail}\n    ${description.slice(0, 140)}\n`);
  }
  process.exitCode = differences.length === 0 ? 0 : 1;
}
