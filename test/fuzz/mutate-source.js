// Reads and converts mutated source models and prints what came of it as JSON: node mutate-source.js TOTAL FILE...

import { readFileSync } from 'node:fs';
import { unzipSync, zipSync } from 'fflate';
import { AtollError, convert, decodeSource, writeModel } from '../../dist/index.js';

const [total, ...files] = process.argv.slice(2);
const originals = files.map((file) => readFileSync(file));

let state = 2026;
function draw(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

const interesting = [0, 1, 4, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff];
const oddValues = [null, true, 0, -1, 1e9, 2 ** 53, 0.5, '', 'x', [], [1, 2, 3], {}, [null], 'Lambda'];

function mutateBytes(original) {
  const kind = draw(6);
  if (kind === 0) return original.subarray(0, draw(original.length));
  const bytes = Buffer.from(original);
  for (let edits = 1 + draw(8); edits > 0; edits--) {
    const at = draw(2) === 0 ? draw(bytes.length - 4) : draw(Math.min(bytes.length - 4, 4096));
    if (kind === 1) bytes[at] ^= 1 << draw(8);
    else if (kind === 2) bytes[at] = draw(256);
    else if (kind === 3) bytes.writeUInt32LE(interesting[draw(interesting.length)], at - (at % 4));
    else if (kind === 4) bytes.writeUInt32LE(draw(bytes.length), at - (at % 4));
    else bytes.copy(bytes, at, draw(bytes.length), draw(bytes.length));
  }
  return bytes;
}

/** Puts odd values into the configuration of an archive. */
function mutateConfig(original) {
  const entries = unzipSync(original);
  const config = JSON.parse(new TextDecoder().decode(entries['config.json']));
  for (let edits = 1 + draw(3); edits > 0; edits--) mutateValue(config);
  return Buffer.from(
    zipSync({ ...entries, 'config.json': new TextEncoder().encode(JSON.stringify(config)) }, { level: 0 }),
  );
}

function mutateValue(root) {
  let parent = root;
  for (;;) {
    const keys = Object.keys(parent);
    if (keys.length === 0) return;
    const key = keys[draw(keys.length)];
    const child = parent[key];
    if (child !== null && typeof child === 'object' && draw(6) !== 0) parent = child;
    else {
      if (draw(4) === 0) delete parent[key];
      else parent[key] = structuredClone(oddValues[draw(oddValues.length)]);
      return;
    }
  }
}

/** Numbers of texts in the file become other numbers of the same length. */
function mutateNumbers(original) {
  const bytes = Buffer.from(original);
  const numbers = [...bytes.toString('latin1').matchAll(/(?<=[:[, ])\d+(?=[,\]}])/g)];
  for (let edits = 1 + draw(4); edits > 0 && numbers.length > 0; edits--) {
    const { index, 0: text } = numbers[draw(numbers.length)];
    bytes.write(Array.from(text, () => String(draw(10))).join(''), index, 'latin1');
  }
  return bytes;
}

function mutate(original) {
  const isArchive = original[0] === 0x50;
  const way = draw(3);
  if (way === 0) return mutateBytes(original);
  return isArchive && way === 1 ? mutateConfig(original) : mutateNumbers(original);
}

const ownBytes = process.memoryUsage.rss();
const errors = {};
const failures = [];
let models = 0;
let slowestMs = 0;
for (let i = 0; i < Number(total); i++) {
  const bytes = mutate(originals[i % originals.length]);
  const start = process.cpuUsage();
  try {
    const source = await decodeSource(new Uint8Array(bytes), 'mutated');
    if (source === null) errors.none = (errors.none ?? 0) + 1;
    else {
      writeModel((await convert(source)).model);
      models += 1;
    }
  } catch (error) {
    const isCoded = error instanceof AtollError && error.code !== 'INTERNAL' && error.code !== 'CONVERT_DIFFERS';
    if (isCoded) errors[error.code] = (errors[error.code] ?? 0) + 1;
    else if (failures.length < 8) failures.push(`mutation ${i}: ${error.stack}`);
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
