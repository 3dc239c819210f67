// Reads mutated models and prints what came of it as JSON: node mutate-tflite.js TOTAL VECTORS FILE...

import { readFileSync, statSync } from 'node:fs';
import { AtollError, inspect, readModel, writeModel } from '../../dist/index.js';
import { cases } from '../fixtures/operators/cases.js';

const [total, ...files] = process.argv.slice(2);
const originals = [
  // Large files are mutated as well, but they would make the run long; these are plenty.
  ...files.filter((file) => statSync(file).size < 1_200_000).map((file) => readFileSync(file)),
  ...cases.map(({ model }) => Buffer.from(model)),
];

let state = 2024;
function draw(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

const interesting = [0, 1, 4, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff];

/** Most structure is at the ends of a file; half of the edits go there. */
function position(bytes) {
  const near = Math.min(bytes.length, 4096);
  const where = draw(4);
  return where === 0 ? draw(near) : where === 1 ? bytes.length - 1 - draw(near) : draw(bytes.length);
}

function mutate(original) {
  const kind = draw(6);
  if (kind === 0) return original.subarray(0, draw(original.length));
  const bytes = Buffer.from(original);
  const edits = 1 + draw(8);
  for (let i = 0; i < edits; i++) {
    const at = position(bytes);
    if (kind === 1) bytes[at] ^= 1 << draw(8);
    else if (kind === 2) bytes[at] = draw(256);
    else if (kind === 3 && at + 4 <= bytes.length)
      bytes.writeUInt32LE(interesting[draw(interesting.length)], at - (at % 4));
    else if (kind === 4 && at + 4 <= bytes.length) bytes.writeUInt32LE(draw(bytes.length), at - (at % 4));
    else if (kind === 5) bytes.copy(bytes, at, draw(bytes.length), draw(bytes.length));
  }
  return bytes;
}

/** What the program and the original files take by themselves. */
const ownBytes = process.memoryUsage.rss();

const errors = {};
const failures = [];
let models = 0;
let slowestMs = 0;
for (let i = 0; i < Number(total); i++) {
  const bytes = mutate(originals[i % originals.length]);
  const start = process.cpuUsage();
  try {
    const model = readModel(bytes, 'mutated');
    models += 1;
    inspect(model, bytes);
    writeModel(model);
  } catch (error) {
    if (error instanceof AtollError && error.code !== 'INTERNAL') errors[error.code] = (errors[error.code] ?? 0) + 1;
    else if (failures.length < 5) failures.push(`mutation ${i}: ${error.stack}`);
  }
  // Processor time: a busy machine must not look like a hang.
  const { user, system } = process.cpuUsage(start);
  slowestMs = Math.max(slowestMs, (user + system) / 1000);
}
console.log(
  JSON.stringify({
    mutations: Number(total),
    errors,
    models,
    slowestMs,
    peakBytes: process.resourceUsage().maxRSS * 1024 - ownBytes,
    failures,
  }),
);
