// Runs models in the reference runtimes and compares the simulator with each.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compare } from './compare.js';
import { documentedReason } from './documented.js';
import { runScript } from './python.js';

/** Kernel profile of each runtime in runtimes.py. */
export const profileOf = {
  tflm: 'tflm-reference',
  'tflite-reference': 'tflite-reference',
  'tflite-optimized': 'tflite-optimized',
};

/** Verdicts that do not count as differences. */
export const agreed = ['same', 'both refuse', 'not registered', 'documented'];

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {Uint8Array} model
 * @property {Uint8Array[]} inputs for each input all frames, one after another
 * @property {number} [frames] invocations, without reset between them
 * @property {number} [arenaBytes] arena for TFLM, which keeps all tensors here
 * @property {('tflm' | 'tflite')[]} runtimes that run it
 * @property {number[]} produced tensors that operators of the main subgraph write
 */

/**
 * @param {Case[]} cases
 * @param {{python: string, runtimes: (keyof typeof profileOf)[]}} options
 * @returns {Promise<{name: string, runtime: string, profile: string, tensors: number, verdict: string, operator?:
 * string, detail?: string, shrunk?: object}[]>}
 */
export async function judge(cases, { python, runtimes }) {
  const folder = await mkdtemp(path.join(tmpdir(), 'atoll-sweep-'));
  try {
    await writeCases(folder, cases);
    // Two at a time: loading the runtimes takes most of the time.
    const waiting = [...runtimes];
    const work = async () => {
      for (let runtime = waiting.shift(); runtime !== undefined; runtime = waiting.shift())
        await runScript(python, 'runtimes.py', [folder, runtime]);
    };
    await Promise.all([work(), work()]);
    const verdicts = [];
    for (const runtime of runtimes) verdicts.push(...(await verdictsOn(folder, cases, runtime)));
    return verdicts;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const smallestArena = 64 << 20;

async function writeCases(folder, cases) {
  for (const { name, model, inputs } of cases) {
    await writeFile(path.join(folder, `${name}.tflite`), model);
    for (const [k, input] of inputs.entries()) await writeFile(path.join(folder, `${name}.${k}.bin`), input);
  }
  const index = cases.map(({ name, inputs, frames = 1, arenaBytes = 0, runtimes, produced }) => ({
    name,
    inputs: inputs.length,
    frames,
    arena: Math.max(smallestArena, arenaBytes),
    runtimes,
    tensors: produced,
  }));
  await writeFile(path.join(folder, 'index.json'), JSON.stringify(index));
}

async function verdictsOn(folder, cases, runtime) {
  const answers = JSON.parse(await readFile(path.join(folder, `${runtime}.json`), 'utf8'));
  const data = await readFile(path.join(folder, `${runtime}.bin`));
  const profile = profileOf[runtime];
  return cases.flatMap(({ name, model, inputs, frames = 1 }) => {
    const answer = answers[name];
    if (answer === undefined) return [];
    const tensors =
      answer.tensors === undefined
        ? undefined
        : new Map(
            Object.entries(answer.tensors).map(([index, [at, bytes]]) => [
              Number(index),
              data.subarray(at, at + bytes),
            ]),
          );
    const compared = compare({ model, inputs, frames }, profile, { error: answer.error, tensors });
    const judged = documentedReason(compared, profile) === null ? compared : { ...compared, verdict: 'documented' };
    return [{ name, runtime, profile, tensors: tensors?.size ?? 0, ...judged }];
  });
}
