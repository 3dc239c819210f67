// Random graphs produced by TensorFlow's converter.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runScript } from './python.js';
import { subjectOf } from './subject.js';

/**
 * @returns {Promise<(import('./judge.js').Case & {description: string})[]>} for `count` seeds from `first`, without
 * those that the converter rejected
 */
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
