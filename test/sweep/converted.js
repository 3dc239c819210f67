// Random graphs that TensorFlow's converter has made.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runScript } from './python.js';
import { subjectOf } from './subject.js';

/** @returns {Promise<(import('./judge.js').Case & {description: string})[]>} for seeds from `first`, as many as the converter took */
export async function convertedCases(python, first, count) {
  const folder = await mkdtemp(path.join(tmpdir(), 'atoll-converter-'));
  try {
    await runScript(python, 'converter.py', [folder, first, count]);
    const index = JSON.parse(await readFile(path.join(folder, 'index.json'), 'utf8'));
    return await Promise.all(
      index.map(async ({ name, description }, i) => ({
        ...subjectOf(name, await readFile(path.join(folder, `${name}.tflite`)), { seed: first + i }),
        description,
      })),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
