// `atoll compile` with a program in the place of edgetpu_compiler, and without any.

import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { TensorType, writeModel } from '../../src/formats/tflite/index.js';
import { atoll, jsonOf } from '../support/cli.js';
import { compiledLike } from '../support/edgetpu-package.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { convOptions, denseModel, modelOf } from '../support/models.js';

const folder = temporaryFolder();
const int8 = { type: TensorType.INT8, scale: 0.1 };
const model = modelOf(
  [
    { shape: [1, 4, 4, 4], ...int8 },
    { shape: [4, 1, 1, 4], data: new Int8Array(16), scale: 0.1 },
    { shape: [1, 4, 4, 4], ...int8 },
    { shape: [1, 4, 4, 4], type: TensorType.INT8, scale: 1 / 256, zeroPoint: -128 },
  ],
  [
    { op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions() },
    { op: 'LOGISTIC', inputs: [2], outputs: [3] },
  ],
  [0],
  [3],
);
const compiled = writeModel(
  compiledLike(
    model,
    [
      { type: 1, parameterBytes: 128 },
      { type: 2, parameterBytes: 0 },
    ],
    14,
  ),
);
writeFiles(folder, {
  'model.tflite': writeModel(model),
  'float.tflite': writeModel(denseModel()),
  'compiled.tflite': compiled,
  'old.yaml': 'id: old-coral\nextends: coral-usb\nruntime: { version: 12 }\n',
});
const compiler = path.resolve('test/support/fake-edgetpu-compiler.js');
const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  atoll(args, { cwd: folder, env: { ...process.env, FAKE_OUTPUT: path.join(folder, 'compiled.tflite'), ...env } });

test('a model is compiled, opened, and compared with the prediction', async () => {
  const result = await run(['compile', 'model.tflite', '--compiler', compiler, '--json']);
  expect(jsonOf(result)).toMatchObject({
    output: 'model_edgetpu.tflite',
    compiled: { minRuntimeVersion: 14, cachedParameterBytes: 128, log: { version: '16.0.384591198', subgraphs: 1 } },
    differences: [],
  });
  const inspected = await run(['inspect', 'model_edgetpu.tflite']);
  expect(inspected.stdout).toMatch(/needs libedgetpu 14 or newer[\s\S]*parameter-caching/);
});

test('if it fails, --bisect finds the operator and writes the shortest failing beginning of the model', async () => {
  const broken = { FAKE_FAILS: 'LOGISTIC' };
  expect(await run(['compile', 'model.tflite', '-o', 'no.tflite', '--compiler', compiler], broken)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/EDGETPU_COMPILE: edgetpu_compiler refused model.tflite: Internal compiler error/),
  });
  expect(existsSync(path.join(folder, 'no.tflite'))).toBe(false);
  const found = await run(['compile', 'model.tflite', '--bisect', '--compiler', compiler, '--json'], broken);
  expect(found.code).toBe(1);
  expect(jsonOf(found)).toMatchObject({ output: 'model_failing.tflite', bisection: { operators: 2, op: 'LOGISTIC' } });
  expect(existsSync(path.join(folder, 'model_failing.tflite'))).toBe(true);
});

test('a compiler that hangs is ended, with its child processes', async () => {
  // As the installed one: a shell script in front of the real program.
  const stuck = path.join(folder, 'stuck.sh');
  writeFileSync(stuck, '#!/bin/sh\necho "Edge TPU Compiler version 16.0"\nsleep 600\n', { mode: 0o755 });
  expect(await run(['compile', 'model.tflite', '--compiler', stuck, '--timeout', '1'])).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/EDGETPU_COMPILER_FAILED: .*it was ended after 3 s/),
  });
}, 30_000);

test('a crash of the compiler is a refusal, and its last output is the reason', async () => {
  const crashing = path.join(folder, 'crashing.sh');
  writeFileSync(crashing, '#!/bin/sh\necho "Edge TPU Compiler version 16.0"\nkill -SEGV $$\n', { mode: 0o755 });
  expect(await run(['compile', 'model.tflite', '--compiler', crashing])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/EDGETPU_COMPILE: .*ended by signal SIGSEGV/),
  });
});

test('without the compiler, it explains how to install it and prints the prediction', async () => {
  const result = await run(['compile', 'model.tflite', '-o', 'none.tflite'], { PATH: folder });
  expect(result).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/not installed[\s\S]*2 of 2 operators, in 1 part/),
  });
  expect(existsSync(path.join(folder, 'none.tflite'))).toBe(false);
  expect(await run(['compile', 'model.tflite', '--compiler', 'nowhere'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('EDGETPU_COMPILER_MISSING'),
  });
});

test('other verbs refuse a compiled model, each with a clear error', async () => {
  expect(await run(['compile', 'compiled.tflite', '--compiler', compiler])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('MODEL_COMPILED'),
  });
  expect(await run(['quantize', 'compiled.tflite', '-o', 'q.tflite'])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('MODEL_COMPILED'),
  });
  expect(await run(['check', 'compiled.tflite', '--target', 'pico'])).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/already.*which pico does not have/),
  });
});

test('a model that needs a newer runtime than the device has is refused', async () => {
  expect(await run(['push', 'compiled.tflite', '--device', 'sim:old.yaml'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /EDGETPU_RUNTIME: the model requires runtime version 14 of libedgetpu; sim:old.yaml has 12/,
    ),
  });
});

test('float models are refused with their type', async () => {
  const { reasons } = jsonOf(await run(['check', 'float.tflite', '--target', 'nano33ble', '--json'])) as {
    reasons: { code: string }[];
  };
  expect(reasons.map(({ code }) => code)).toEqual(['FLOAT']);
});
