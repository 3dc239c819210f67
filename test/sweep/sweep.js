// Random graphs, compared tensor by tensor with TensorFlow and TFLite Micro.
//
//   npm run sweep -- --python PYTHON [--count 1000] [--converted 0] [--seed 1] [--only OPERATOR] [--without tflm]
//     [--out FOLDER]
//
// PYTHON has the packages of requirements.txt; --without tflm omits the one that needs Python 3.13. --count graphs are
// built here, --converted ones by TensorFlow's converter. Graph number N of a run depends on seed + N alone:
// `--seed S --count 1` builds it again. A graph with a difference is reduced to the first differing operator, with the
// inputs of that operator in the runtime; --out keeps these models.

import { writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { convertedCases } from './converted.js';
import { generate } from './generate.js';
import { agreed, judge, profileOf } from './judge.js';
import { pythonOf } from './python.js';

const batchSize = 200;

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    count: { type: 'string', default: '1000' },
    converted: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    without: { type: 'string', multiple: true, default: [] },
    out: { type: 'string' },
  },
});
const python = pythonOf(options);
const runtimes = Object.keys(profileOf).filter((runtime) => !options.without.includes(runtime));
const seed = Number(options.seed);

if (options.out !== undefined) await mkdir(options.out, { recursive: true });
const tallies = new Map();
const differences = [];
let tensors = 0;
let graphs = 0;
for (const [count, casesOf] of [
  [Number(options.count), builtCases],
  [Number(options.converted), (first, size) => convertedCases(python, first, size)],
]) {
  for (let done = 0; done < count; done += batchSize) {
    const cases = await casesOf(seed + done, Math.min(batchSize, count - done));
    graphs += cases.length;
    await record(cases);
    process.stderr.write(`${graphs} graphs, ${tensors} tensors, ${differences.length} differences\n`);
  }
}
report();

function builtCases(first, size) {
  return Array.from({ length: size }, (_, i) => ({
    name: String(first + i),
    ...generate(first + i, { only: options.only }),
  })).filter(({ model }) => model !== undefined);
}

async function record(cases) {
  const byName = new Map(cases.map((one) => [one.name, one]));
  for (const verdict of await judge(cases, { python, runtimes })) {
    tensors += verdict.tensors;
    const key = `${verdict.profile}: ${verdict.verdict}`;
    tallies.set(key, (tallies.get(key) ?? 0) + 1);
    if (agreed.includes(verdict.verdict)) continue;
    const one = byName.get(verdict.name);
    differences.push({ seed: one.name, description: one.description, ...verdict });
    if (options.out !== undefined) await keep(one, verdict);
  }
}

async function keep(one, { profile, shrunk }) {
  const folder = options.out;

  const name = path.join(folder, `${one.name}.${profile}`);
  const { model, inputs, outputs = [] } = shrunk ?? one;
  await writeFile(`${name}.tflite`, model);
  await writeFile(`${name}.in`, Buffer.concat(inputs));
  if (outputs.length > 0) await writeFile(`${name}.out`, Buffer.concat(outputs));
}

function report() {
  for (const [key, number] of [...tallies].toSorted(([a], [b]) => a.localeCompare(b)))
    process.stdout.write(`${key}: ${number}\n`);
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
