import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { assumptions } from '../../src/devices/accelerator/check/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { compiledPair } from '../support/compiled-pair.js';
import { temporaryFolder, writeFiles } from '../support/files.js';

const folder = temporaryFolder();
const { compiled, uncompiled } = compiledPair();
writeFiles(folder, {
  'm_edgetpu.tflite': writeModel(compiled),
  'm.tflite': writeModel(uncompiled),
  'alone_edgetpu.tflite': writeModel(compiled),
});
const script = path.resolve('scripts/check-accelerator.js');

async function run(...args: readonly string[]) {
  return promisify(execFile)(process.execPath, [script, ...args], { cwd: folder }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  );
}

test('the script that judges an accelerator prints a verdict on each assumption, and writes a report', {
  timeout: 30_000,
}, async () => {
  const { code, stdout } = await run('m_edgetpu.tflite', '--emulated', '--samples', '2');
  expect(code).toBe(0);
  const report = JSON.parse(readFileSync(path.join(folder, 'accelerator-report.json'), 'utf8'));
  expect(report).toMatchObject({
    schema: 'atoll/accelerator-report/1',
    emulated: true,
    model: 'm_edgetpu.tflite',
    observations: { failures: [] },
  });
  expect(report.findings.map(({ id }: { id: string }) => id)).toEqual(assumptions.map(({ id }) => id));
  for (const { id } of assumptions) expect(stdout).toContain(` ${id}: `);
  expect(report.transfers.firstOfEachStep.length).toBeGreaterThan(100);
  // Nothing of the machine but what it says it has.
  expect(JSON.stringify(report)).not.toContain(folder);
});

test.each([
  [['--help'], 0, 'usage'],
  [[], 2, 'usage'],
  [['m_edgetpu.tflite', '--samples', 'many', '--emulated'], 2, '--samples'],
  [['m_edgetpu.tflite', '--wrong'], 2, '--wrong'],
  [['missing_edgetpu.tflite', '--emulated'], 2, 'missing_edgetpu.tflite'],
  [['alone_edgetpu.tflite', '--emulated'], 2, 'alone.tflite'],
  [['m.tflite', '--uncompiled', 'm.tflite', '--emulated'], 2, 'EDGETPU_TWIN'],
])('%s: %d', async (args, code, text) => {
  expect(await run(...args)).toMatchObject({ code, stderr: expect.stringContaining(text) });
});
