import { spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeModel } from '../../src/formats/tflite/index.js';
import { atoll, jsonOf } from '../support/cli.js';
import { floatBytes, temporaryFolder, writeFiles } from '../support/files.js';
import { denseModel, wideModel } from '../support/models.js';
import { sharedPath, sharedTest } from '../support/shared.js';

const folder = temporaryFolder();
const samples = Array.from({ length: 120 * 4 }, (_, i) => Math.sin(i / 7) + 0.5 * Math.cos(i / 31));
writeFiles(folder, {
  'float.tflite': writeModel(denseModel()),
  'data.bin': floatBytes(samples),
  'labels.csv': `${Array.from({ length: 120 }, (_, i) => i % 2).join('\n')}\n`,
  'data.yaml':
    'name: waves\ntask: classification\ninputs:\n  - {files: data.bin, type: float32, shape: [4]}\nlabels: ' +
    '{csv: labels.csv}\n',
  'notes.txt': 'no model',
  'atoll.yaml': 'name: waves\nmodel: float.tflite\ncalibrate: data.yaml\ndata: data.yaml\n',
});
const at = (name: string): string => path.join(folder, name);
const run = (...args: string[]) => atoll(args, { cwd: folder });

test('--help names every verb, --version the version', async () => {
  const help = await run('--help');
  expect(help.code).toBe(0);
  for (const verb of ['inspect', 'quantize', 'check', 'run', 'evaluate', 'targets', 'push', 'deploy'])
    expect(help.stdout).toContain(`  ${verb} `);
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect((await run('--version')).stdout).toBe(`${version}\n`);
});

test('--shape gives the inputs other sizes, and the rest follows', async () => {
  writeFiles(folder, { 'three.bin': floatBytes(samples.slice(0, 12)) });
  const three = await run(
    'run',
    'float.tflite',
    '--shape',
    'x=3,4',
    '--input',
    'three.bin',
    '--output',
    'three.out',
    '--json',
  );
  expect(jsonOf(three)).toMatchObject({ samples: 1 });
  await run('run', 'float.tflite', '--input', 'three.bin', '--output', 'one.out');
  expect(readFileSync(at('three.out'))).toEqual(readFileSync(at('one.out')));
  expect(jsonOf(await run('inspect', 'float.tflite', '--shape', 'x=3,4', '--json'))).toMatchObject({
    inputs: [{ shape: [3, 4] }],
    outputs: [{ shape: [3, 2] }],
    macs: 24,
  });
  expect(jsonOf(await run('run', 'float.tflite', '--shape', 'y=3,4', '--input', 'three.bin', '--json'))).toMatchObject({
    error: { code: 'INPUT_UNKNOWN' },
  });
  expect(jsonOf(await run('run', 'float.tflite', '--shape', 'x=0,4', '--input', 'three.bin', '--json'))).toMatchObject({
    error: { code: 'USAGE' },
  });
});

test('--signature runs the named signature, on this host only', async () => {
  const unknown = await run('run', 'float.tflite', '--signature', 'encode', '--input', 'data.bin', '--json');
  expect(unknown.code).toBe(2);
  expect(jsonOf(unknown)).toMatchObject({
    error: { code: 'SIGNATURE_UNKNOWN', message: expect.stringContaining('encode') },
  });
  const onDevice = await run(
    'run',
    'float.tflite',
    '--signature',
    'encode',
    '--input',
    'data.bin',
    '--device',
    'sim:pico',
    '--json',
  );
  expect(jsonOf(onDevice)).toMatchObject({ error: { code: 'USAGE' } });
});

sharedTest('every signature of a model runs, under the names that it gives', async () => {
  writeFiles(folder, { 'two.bin': floatBytes([3]) });
  const model = sharedPath('models', 'ai-edge-quantizer', 'two_signatures.tflite');
  for (const [signature, expected] of [
    ['add', 13],
    ['multiply', 30],
  ] as const) {
    const result = await run(
      'run',
      model,
      '--signature',
      signature,
      '--input',
      'two.bin',
      '--output',
      'two.out',
      '--profile',
      '--json',
    );
    expect(jsonOf(result)).toMatchObject({
      samples: 1,
      arenaBytes: null,
      operators: [{ op: signature === 'add' ? 'ADD' : 'MUL' }],
    });
    expect(readFileSync(at('two.out')).readFloatLE()).toBe(expected);
  }
});

test('a model from float to device, verb by verb', async () => {
  const inspected = await run('inspect', 'float.tflite', '--json');
  expect(jsonOf(inspected)).toMatchObject({
    schema: 'atoll/inspect/1',
    scheme: 'float32',
    macs: 8,
    inputs: [{ name: 'x', type: 'float32', shape: [1, 4] }],
    operators: [{ op: 'FULLY_CONNECTED', macs: 8 }],
  });

  const quantized = await run(
    'quantize',
    'float.tflite',
    '--calibrate',
    'data.yaml',
    '-o',
    'out/int8.tflite',
    '--target',
    'pico',
    '--json',
  );
  expect(quantized).toMatchObject({ code: 0 });
  expect(jsonOf(quantized)).toMatchObject({
    schema: 'atoll/quantize/1',
    scheme: 'int8',
    calibration: { samples: 120 },
    warnings: [],
    check: { fits: true },
  });
  expect(readdirSync(at('out'))).toEqual(['int8.tflite']);

  const checked = await run('check', 'out/int8.tflite', '--target', 'nano33ble');
  expect(checked).toMatchObject({ code: 0, stderr: '' });
  expect(checked.stdout).toMatch(/fits nano33ble/);

  const everywhere = await run('check', 'out/int8.tflite', '--target', 'all', '--json');
  const { targets } = jsonOf(everywhere) as unknown as { targets: { target: string; fits: boolean }[] };
  expect(everywhere.code).toBe(0);
  expect(targets.length).toBe(25);
  expect(targets.every(({ fits }) => fits)).toBe(true);
  expect((await run('check', 'float.tflite', '--target', 'all')).stdout).toMatch(
    /fits 2 of \d+ targets[\s\S]*nano33ble +no .* float/,
  );

  const evaluated = await run('evaluate', 'out/int8.tflite', '--data', 'data.yaml', '--json');
  const onDevice = await run('evaluate', 'out/int8.tflite', '--data', 'data.yaml', '--device', 'sim:pico', '--json');
  expect(jsonOf(onDevice)).toMatchObject({
    value: jsonOf(evaluated).value,
    samples: 120,
    latencyMs: { basis: 'simulated' },
  });
  expect(jsonOf(evaluated)).toMatchObject({ schema: 'atoll/evaluate/1', metric: 'top1', latencyMs: { basis: 'host' } });

  writeFiles(folder, { 'raw.bin': new Uint8Array(Int8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer) });
  const host = await run(
    'run',
    'out/int8.tflite',
    '--input',
    'raw.bin',
    '--output',
    'host.bin',
    '--repeat',
    '3',
    '--json',
  );
  expect(jsonOf(host)).toMatchObject({ schema: 'atoll/run/1', samples: 2, arenaBytes: expect.any(Number) });
  const device = await run(
    'run',
    'out/int8.tflite',
    '--input',
    'x=raw.bin',
    '--output',
    'device.bin',
    '--device',
    'sim:pico',
    '--json',
  );
  expect(device.code).toBe(0);
  expect(readFileSync(at('device.bin'))).toEqual(readFileSync(at('host.bin')));

  const pushed = await run('push', 'out/int8.tflite', '--device', 'sim:pico', '--json');
  expect(jsonOf(pushed)).toMatchObject({
    schema: 'atoll/push/1',
    state: 'confirmed',
    selfTest: { vectors: 4, failed: 0 },
  });
  expect(pushed.stderr).toMatch(/upload \.\.\.\nself-test \.\.\.\nactivate \.\.\.\nconfirm \.\.\./);
  expect((await run('push', 'out/int8.tflite', '--device', 'sim:pico', '--quiet')).stderr).toBe('');
});

test(
  'quantize by scheme, with ranges that are measured, repairs and ' + 'saved statistics; compare, advise, optimize',
  async () => {
    const repaired = await run(
      'quantize',
      'float.tflite',
      '--calibrate',
      'data.yaml',
      '-o',
      'repaired.tflite',
      '--ranges',
      'auto',
      '--repair',
      'all',
      '--json',
    );
    expect(repaired.code, repaired.stderr).toBe(0);
    expect(jsonOf(repaired)).toMatchObject({
      scheme: 'int8',
      io: 'int8',
      repairs: expect.any(Array),
      rangeMethods: expect.any(Object),
    });
    expect(repaired.stderr).toMatch(/calibrate \.\.\.\nchoose ranges \.\.\./);
    for (const scheme of ['float16', 'dynamic-range']) {
      expect(
        jsonOf(await run('quantize', 'float.tflite', '--scheme', scheme, '-o', `${scheme}.tflite`, '--json')),
      ).toMatchObject({ scheme, calibration: null });
    }

    const saving = [
      'quantize',
      'float.tflite',
      '--calibrate',
      'data.yaml',
      '--ranges',
      'mse',
      '-o',
      'saved.tflite',
      '--save-statistics',
      'statistics.json',
    ];
    expect(await run(...saving)).toMatchObject({ code: 0 });
    expect(
      await run(
        'quantize',
        'float.tflite',
        '--statistics',
        'statistics.json',
        '--ranges',
        'mse',
        '-o',
        'reused.tflite',
      ),
    ).toMatchObject({ code: 0 });
    expect(readFileSync(at('reused.tflite'))).toEqual(readFileSync(at('saved.tflite')));

    const compared = await run(
      'compare',
      'float.tflite',
      'repaired.tflite',
      '--data',
      'data.yaml',
      '--html',
      'compare.html',
      '--json',
    );
    expect(jsonOf(compared)).toMatchObject({
      schema: 'atoll/compare/1',
      samples: 120,
      tensors: [{ op: null }, { op: 'FULLY_CONNECTED' }],
    });
    expect(readFileSync(at('compare.html'), 'utf8')).toContain('<svg');

    const advised = await run(
      'advise',
      'float.tflite',
      '--data',
      'data.yaml',
      '--calibrate',
      'data.yaml',
      '--target',
      'pico',
      '--max-drop',
      '2%',
      '--html',
      'advise.html',
    );
    expect(advised.code, advised.stderr).toBe(0);
    const command = advised.stdout.split('\n').find((line) => line.startsWith('atoll quantize')) ?? '';
    expect(await run(...command.split(' ').slice(1))).toMatchObject({ code: 0 });
    expect(readFileSync(at('advise.html'), 'utf8')).toContain('<circle');

    // No output may take the place of what it is made from, and nothing is written where the evaluation cannot be made.
    const overwriting = await run(
      'quantize',
      'float.tflite',
      '--calibrate',
      'data.yaml',
      '-o',
      'new.tflite',
      '--save-statistics',
      'data.yaml',
    );
    expect(overwriting).toMatchObject({ code: 2, stderr: expect.stringContaining('would replace another file') });
    const late = await run(
      'quantize',
      'float.tflite',
      '--calibrate',
      'data.yaml',
      '-o',
      'new.tflite',
      '--data',
      'missing.yaml',
    );
    expect(late.code).toBe(3);
    expect(readdirSync(folder)).not.toContain('new.tflite');
    expect(
      (await run('quantize', 'float.tflite', '--scheme', 'float16', '--repair', 'all', '-o', 'new.tflite')).code,
    ).toBe(2);

    const optimized = await run('optimize', 'float.tflite', '--prune', '50%', '-o', 'pruned.tflite', '--json');
    expect(jsonOf(optimized)).toMatchObject({ schema: 'atoll/optimize/1', before: { sparsity: 0 } });
  },
);

test('run on threads gives the same bytes, and --profile times every operator', async () => {
  const samples = Uint8Array.from({ length: 16 * 40 }, (_, i) => (i % 4 === 3 ? 63 : (i * 37) % 256));
  writeFiles(folder, { 'many.bin': samples });
  const one = await run('run', 'float.tflite', '--input', 'many.bin', '--output', 'one.bin', '--profile', '--json');
  expect(one.code, one.stderr).toBe(0);
  const { operators } = jsonOf(one) as { operators: { op: string; macs: number; latencyMs: number }[] };
  expect(operators.map(({ op }) => op)).toEqual(['FULLY_CONNECTED']);
  expect(operators[0]?.macs).toBe(8);
  const two = await run(
    'run',
    'float.tflite',
    '--input',
    'many.bin',
    '--output',
    'two.bin',
    '--threads',
    '2',
    '--json',
  );
  expect(two.code, two.stderr).toBe(0);
  expect(readFileSync(path.join(folder, 'two.bin'))).toEqual(readFileSync(path.join(folder, 'one.bin')));
});

test('deploy does every step, and leaves model, slot image and report', async () => {
  const result = await run('deploy', '.', '--target', 'pico', '--device', 'sim:pico');
  expect(result).toMatchObject({ code: 0 });
  for (const line of [
    /accuracy \(top1\) +float .* int8 .* on device/,
    /size +\S+ B -> \S+ B/,
    /arena +\S+ B of 204,800 B \[/,
    /latency .*\(simulated\)/,
    /120 of 120 outputs bit-identical, challenge answered/,
  ]) {
    expect(result.stdout).toMatch(line);
  }
  expect(readdirSync(at('build')).sort()).toEqual(['report.json', 'waves.int8.tflite', 'waves.pico.slot']);
  expect(JSON.parse(readFileSync(at('build/report.json'), 'utf8'))).toMatchObject({
    schema: 'atoll/deploy/1',
    agreement: { samples: 120, equalSamples: 120, maxLsb: 0, challenge: true },
  });
  const slot = await run('push', 'build/waves.pico.slot', '--device', 'sim:pico', '--json');
  expect(jsonOf(slot)).toMatchObject({ state: 'confirmed' });
  const bare = await run(
    'deploy',
    'float.tflite',
    '--calibrate',
    'data.yaml',
    '--target',
    'pico',
    '--device',
    'sim:pico',
    '-o',
    'elsewhere',
    '--json',
  );
  expect(jsonOf(bare)).toMatchObject({ schema: 'atoll/deploy/1', accuracy: null });
  expect(existsSync(at('elsewhere/float.int8.tflite'))).toBe(true);
});

test('limits are checked before anything is written or sent, and --force overrules them', async () => {
  const deployed = (...options: string[]) =>
    run('deploy', '.', '--target', 'pico', '--device', 'sim:pico', '--json', ...options);
  const refused = await deployed('--min', 'top1=0.999', '--max-arena-bytes', '10');
  expect(refused.code).toBe(1);
  expect(jsonOf(refused)).toMatchObject({
    error: {
      code: 'GATE_FAILED',
      message: expect.stringMatching(/top1 is .*the arena is .* bytes; the limit is 10 bytes.*nothing was sent/),
    },
  });
  const forced = jsonOf(await deployed('--min', 'top1=0.999', '--force'));
  expect(forced).toMatchObject({
    forced: true,
    gates: [
      { gate: 'max-drop', passed: true },
      { gate: 'min', passed: false },
    ],
    push: { state: 'confirmed' },
  });
  const quantized = await run(
    'quantize',
    'float.tflite',
    '--calibrate',
    'data.yaml',
    '--data',
    'data.yaml',
    '--min',
    'top1=1',
    '-o',
    'never.tflite',
  );
  expect(quantized).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was written') });
  expect(existsSync(at('never.tflite'))).toBe(false);
  expect(
    (await run('quantize', 'float.tflite', '--calibrate', 'data.yaml', '--min', 'top1=1', '-o', 'never.tflite')).stderr,
  ).toContain('need --data');
  const evaluated = await run('evaluate', 'float.tflite', '--data', 'data.yaml', '--min', 'top1=0.999');
  expect(evaluated).toMatchObject({ code: 1, stdout: expect.stringContaining('limit min NOT KEPT') });
  expect(
    (await run('evaluate', 'float.tflite', '--data', 'data.yaml', '--min', 'top1=0.01', '--max-latency-ms', '1e5'))
      .code,
  ).toBe(0);
});

test('compare checks limits too, and writes the results for CI systems, refusals included', async () => {
  expect(await run('quantize', 'float.tflite', '--calibrate', 'data.yaml', '-o', 'judged.tflite')).toMatchObject({
    code: 0,
  });
  const compared = ['compare', 'float.tflite', 'judged.tflite', '--data', 'data.yaml'];
  const kept = await run(
    ...compared,
    '--max-drop',
    '50pt',
    '--min',
    'top1=0.5',
    '--target',
    'pico',
    '--max-latency-ms',
    '1e4',
    '--junit',
    'kept.xml',
  );
  expect(kept, kept.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('limit max-latency-ms kept') });
  expect(readFileSync(at('kept.xml'), 'utf8')).toMatch(
    /tests="4" failures="0".*classname="atoll.compare" name="max-drop"/s,
  );
  const broken = await run(...compared, '--min', 'top1=1', '--junit', 'broken.xml');
  expect(broken).toMatchObject({ code: 1, stdout: expect.stringContaining('limit min NOT KEPT') });
  expect(readFileSync(at('broken.xml'), 'utf8')).toMatch(
    /failures="1".*<failure message="top1 is 0\.\d+; the minimum is 1"\/>/s,
  );
  expect(await run(...compared, '--max-arena-bytes', '10')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('need --target'),
  });

  expect((await run('check', 'judged.tflite', '--target', 'all', '--junit', 'check.xml')).code).toBe(0);
  expect(readFileSync(at('check.xml'), 'utf8')).toMatch(
    /<testcase classname="atoll.check" name="fits pico" time="0"><\/testcase>/,
  );
  const refused = await run(
    'deploy',
    '.',
    '--target',
    'pico',
    '--device',
    'sim:pico',
    '--min',
    'top1=0.999',
    '--junit',
    'deploy.xml',
  );
  expect(refused.code).toBe(1);
  expect(readFileSync(at('deploy.xml'), 'utf8')).toMatch(
    /failures="1".*name="deploy".*<failure message="GATE_FAILED: top1 is/s,
  );
  expect((await run('deploy', '.', '--target', 'pico', '--device', 'sim:pico', '--junit', 'deploy.xml')).code).toBe(0);
  expect(readFileSync(at('deploy.xml'), 'utf8')).toMatch(
    /failures="0".*name="max-drop".*name="self-test".*name="challenge"/s,
  );
  expect((await run('evaluate', 'judged.tflite', '--data', 'data.yaml', '--junit', 'evaluate.xml')).code).toBe(0);
  expect(readFileSync(at('evaluate.xml'), 'utf8')).toMatch(/tests="1" failures="0"/);
});

test('outputs follow symbolic links, and never replace their own input', async () => {
  writeFiles(folder, { 'real.tflite': 'old' });
  symlinkSync('real.tflite', at('link.tflite'));
  expect((await run('quantize', 'float.tflite', '--calibrate', 'data.yaml', '-o', 'link.tflite')).code).toBe(0);
  expect(lstatSync(at('link.tflite')).isSymbolicLink()).toBe(true);
  expect(readFileSync(at('real.tflite')).subarray(4, 8).toString()).toBe('TFL3');
  expect(await run('quantize', 'float.tflite', '--calibrate', 'data.yaml', '-o', './float.tflite')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('would replace another file'),
  });
  expect(await run('run', 'float.tflite', '--input', 'nope=data.bin')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('the inputs of the model are x'),
  });
});

test("a user's target file works in check, push and deploy, and check says what push will send", async () => {
  writeFiles(folder, { 'mine.yaml': readFileSync('targets/pico.yaml', 'utf8').replace('id: pico', 'id: mine') });
  expect((await run('quantize', 'float.tflite', '--calibrate', 'data.yaml', '-o', 'mine.tflite')).code).toBe(0);
  const checked = jsonOf(await run('check', 'mine.tflite', '--target', 'mine.yaml', '--json')) as {
    memory: { flashBytes: number };
  };
  const pushed = jsonOf(await run('push', 'mine.tflite', '--device', 'sim:mine.yaml', '--json')) as {
    image: { bytes: number };
  };
  expect(pushed).toMatchObject({ target: 'mine', state: 'confirmed' });
  expect(checked.memory.flashBytes).toBe(pushed.image.bytes);
});

test('check shows the arena over time, the tensors at the peak, and remedies', async () => {
  writeFiles(folder, { 'wide.tflite': writeModel(wideModel()) });
  const wide = await run('check', 'wide.tflite', '--target', 'nano33ble', '--memory', '--plot', 'wide.svg');
  expect(wide.code).toBe(1);
  expect(wide.stdout).toMatch(/the peak of 435200 bytes is at operator 0 CONV_2D: 2 "tensor2" \(409600\)/);
  expect(wide.stdout).toMatch(/would fit: an input of 80 x 80 instead of 160 x 160 .*: arena [\d,]+ B/);
  expect(wide.stdout).toMatch(/would fit: [a-z0-9-]+ \(/);
  expect(wide.stdout).toMatch(/0 +CONV_2D +435,200 B +\[#{40}\] +<- peak/);
  expect(readFileSync(path.join(folder, 'wide.svg'), 'utf8')).toMatch(/^<svg xmlns[\s\S]*peak: CONV_2D/);
  const { suggestions } = jsonOf(await run('check', 'wide.tflite', '--target', 'nano33ble', '--json')) as {
    suggestions: { kind: string; fits: boolean }[];
  };
  expect(suggestions.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['smaller-input', 'other-target']));
  expect(await run('check', 'wide.tflite', '--target', 'nano33ble', '--plot', 'wide.png')).toMatchObject({ code: 2 });
});

test('quantize --plan-memory and optimize --plan-memory report the savings', async () => {
  const quantized = await run(
    'quantize',
    'float.tflite',
    '--calibrate',
    'data.yaml',
    '--plan-memory',
    '-o',
    'planned.tflite',
  );
  expect(quantized).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/memory plan +planned arena 32 B -> 32 B, the minimum \(nothing to store\)/),
  });
  expect(await run('optimize', 'planned.tflite', '--plan-memory', '-o', 'planned2.tflite')).toMatchObject({ code: 0 });
  expect(
    await run('optimize', 'planned.tflite', '--plan-memory', '--prune', '50%', '-o', 'planned2.tflite'),
  ).toMatchObject({ code: 2 });
});

test('export writes the files for firmware, or nothing on failure', async () => {
  expect((await run('quantize', 'float.tflite', '--calibrate', 'data.yaml', '-o', 'exported.tflite')).code).toBe(0);
  expect(
    await run('export', 'exported.tflite', '--format', 'resolver', '-o', 'ops.h', '--target', 'pico'),
  ).toMatchObject({ code: 0 });
  expect(readFileSync(path.join(folder, 'ops.h'), 'utf8')).toMatch(
    /kExportedArenaBytes = \d+;[\s\S]*AddFullyConnected/,
  );
  expect(await run('export', 'exported.tflite', '--format', 'c-array', '-o', 'exported.cc')).toMatchObject({ code: 0 });
  expect(readFileSync(path.join(folder, 'exported.h'), 'utf8')).toContain('exported_model');
  const uf2 = await run(
    'export',
    'exported.tflite',
    '--format',
    'uf2',
    '--target',
    'pico',
    '-o',
    'exported.uf2',
    '--json',
  );
  expect(jsonOf(uf2)).toMatchObject({ address: 0x10040000, familyId: 0xe48bff56 });
  expect(await run('export', 'exported.tflite', '--format', 'bin', '-o', 'exported.bin')).toMatchObject({ code: 0 });
  expect(readFileSync(path.join(folder, 'exported.bin')).length % 16).toBe(0);
  expect(
    await run('export', 'exported.tflite', '--format', 'uf2', '--target', 'nano33ble', '-o', 'no.uf2'),
  ).toMatchObject({ code: 2 });
  expect(
    await run(
      'export',
      'exported.tflite',
      '--format',
      'uf2',
      '--target',
      'pico',
      '--address',
      '0x20000000',
      '-o',
      'no.uf2',
    ),
  ).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('must lie between 0x10040000, behind the firmware, and 0x10200000'),
  });
  expect(existsSync(path.join(folder, 'no.uf2'))).toBe(false);
});

test('targets calibrate writes a target whose estimates follow the measurements', async () => {
  expect((await run('quantize', 'float.tflite', '--calibrate', 'data.yaml', '-o', 'slow.tflite')).code).toBe(0);
  const measured = await run('evaluate', 'slow.tflite', '--data', 'data.yaml', '--device', 'sim:nano33ble', '--json');
  const document = jsonOf(measured) as { latencyMs: { median: number } };
  expect(document).toMatchObject({ device: 'sim:nano33ble', latencyMs: { basis: 'simulated' } });
  // As if the board took five times as long.
  const slow = {
    ...document,
    latencyMs: { ...document.latencyMs, median: 5 * document.latencyMs.median, basis: 'device' },
  };
  writeFiles(folder, {
    'slow.json': JSON.stringify(slow),
    'host.json': JSON.stringify({ ...slow, latencyMs: { median: 1, basis: 'host' } }),
  });
  expect(
    await run('targets', 'calibrate', '--target', 'nano33ble', '--measured', 'slow.json', '-o', 'own.yaml'),
  ).toMatchObject({ code: 0 });
  expect(await run('targets', '--validate', 'own.yaml')).toMatchObject({ code: 0 });
  const latencyOn = async (target: string) =>
    (jsonOf(await run('check', 'slow.tflite', '--target', target, '--json')) as { latencyMs: { value: number } })
      .latencyMs;
  const [own, shipped] = [await latencyOn('own.yaml'), await latencyOn('nano33ble')];
  expect(own).toMatchObject({ errorPercent: 20, measuredModels: 1 });
  expect(own.value / shipped.value).toBeGreaterThan(4);
  expect(own.value).toBeCloseTo(slow.latencyMs.median, 2);
  expect(
    await run('targets', 'calibrate', '--target', 'nano33ble', '--measured', 'host.json', '-o', 'no.yaml'),
  ).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('MEASUREMENT_INVALID'),
  });
  expect(await run('targets', 'calibrate', '-o', 'no.yaml')).toMatchObject({ code: 2 });
});

test('targets --validate reports every error of a target file, with its line', async () => {
  writeFiles(folder, {
    'sound.yaml': 'id: mine\nextends: pico\n',
    'wrong.yaml': 'id: mine\nextends: pico\nclockHz: fast\nalignment: 12\n',
  });
  expect(await run('targets', '--validate', 'sound.yaml')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('sound.yaml is a valid target file'),
  });
  const wrong = await run('targets', '--validate', 'wrong.yaml');
  expect(wrong).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/wrong.yaml:3: clockHz: .*\nwrong.yaml:4: alignment: 12 is not a power of two/),
  });
  expect(jsonOf(await run('targets', '--validate', 'wrong.yaml', '--json'))).toMatchObject({
    valid: false,
    faults: [{ line: 3, path: 'clockHz' }, { line: 4 }],
  });
});

describe('hostile target files', () => {
  test.each([
    ['nothing in it', '', /.+:1: .*received null|.+:1: /],
    ['a list', '[1, 2]\n', /expected object/],
    ['a model', 'TFL3', /expected object/],
    ['brackets without end', '['.repeat(3000), /nested deeper than 100 levels/],
    ['dashes without end', '- '.repeat(3000), /nested deeper than 100 levels/],
    ['extends that is no text', 'id: a\nextends: 5\n', /:2: extends: must be the id of a shipped target/],
    ['sources that are no mapping', 'id: a\nextends: pico\nsources: 5\n', /:3: sources: /],
    [
      'a key too many, at its own line',
      'id: a\nextends: pico\nname: x\ncolour: red\n',
      /:4: Unrecognized key: "colour"/,
    ],
  ])('%s', async (_, text, expected) => {
    writeFiles(folder, { 'hostile.yaml': text });
    expect(await run('targets', '--validate', 'hostile.yaml')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(expected),
    });
    expect(await run('check', 'float.tflite', '--target', 'hostile.yaml')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('TARGET_INVALID'),
    });
  });
});

test('no output overwrites its input, under any name', async () => {
  writeFiles(folder, { 'keep.yaml': 'id: keep\nextends: pico\n', 'keep.tflite': writeModel(wideModel()) });
  symlinkSync('keep.tflite', at('link.bin'));
  for (const args of [
    ['optimize', 'keep.tflite', '--plan-memory', '--target', 'keep.yaml', '-o', 'keep.yaml'],
    ['quantize', 'float.tflite', '--scheme', 'float16', '--target', 'keep.yaml', '-o', 'keep.yaml'],
    ['export', 'keep.tflite', '--format', 'bin', '-o', 'link.bin'],
    ['export', 'keep.tflite', '--format', 'bin', '-o', './link.bin'],
  ]) {
    expect(await run(...args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('would replace another file'),
    });
  }
  expect(readFileSync(at('keep.yaml'), 'utf8')).toMatch(/^id: keep/);
});

describe('exit codes and errors', () => {
  test.each([
    [
      '1: a model that does not fit',
      ['check', 'float.tflite', '--target', 'pico'],
      1,
      /no: the model is float32: tensor 0 "x", 3 "y"/,
    ],
    ['1: deploying what does not fit', ['push', 'float.tflite', '--device', 'sim:pico'], 1, /error MODEL_DOES_NOT_FIT/],
    ['2: an unknown verb', ['inspct', 'x'], 2, /unknown command 'inspct'/],
    ['2: a missing option', ['check', 'float.tflite'], 2, /required option '--target <target>'/],
    [
      '2: a wrong number',
      ['evaluate', 'float.tflite', '--data', 'data.yaml', '--limit', '0'],
      2,
      /whole number of at least 1/,
    ],
    ['2: an unknown target', ['check', 'float.tflite', '--target', 'pica'], 2, /did you mean pico/],
    [
      '2: an unknown device',
      ['push', 'float.tflite', '--device', 'carrier-pigeon:1'],
      2,
      /unknown scheme "carrier-pigeon"/,
    ],
    [
      '2: target and device that differ',
      ['deploy', '.', '--target', 'pico', '--device', 'sim:nano33ble'],
      2,
      /reports nano33ble/,
    ],
    ['3: no file', ['inspect', 'gone.tflite'], 3, /error FILE_NOT_READABLE: cannot read gone.tflite/],
    ['3: no model', ['inspect', 'notes.txt'], 3, /error TFLITE_NOT_A_MODEL: notes.txt/],
    [
      '3: input of the wrong size',
      ['run', 'float.tflite', '--input', 'atoll.yaml'],
      3,
      /atoll.yaml has \d+ bytes, which is not a whole number of samples of 16/,
    ],
    [
      '3: text instead of tensors',
      ['run', 'float.tflite', '--input', 'notes.txt'],
      3,
      /DATASET_FILE_KIND: notes.txt is a text file/,
    ],
    [
      '3: no folder to write to',
      ['quantize', 'float.tflite', '--calibrate', 'data.yaml', '-o', 'notes.txt/x.tflite'],
      3,
      /error FILE_NOT_WRITABLE/,
    ],
  ])('%s', async (_, args, code, message) => {
    const text = await run(...args);
    expect(text.code).toBe(code);
    expect(text.stdout + text.stderr).toMatch(message);
    expect(text.stderr).not.toMatch(/^\s+at /m);
    const json = await run(...args, '--json');
    expect(json.code).toBe(code);
    if (code > 1)
      expect(jsonOf(json)).toMatchObject({
        schema: 'atoll/error/1',
        error: { code: expect.stringMatching(/^[A-Z_]+$/), message: expect.any(String), hint: expect.any(String) },
      });
  });

  test('--debug adds the stack trace', async () => {
    expect((await run('inspect', 'notes.txt', '--debug')).stderr).toMatch(/^\s+at /m);
  });

  test('nothing is written if quantization fails', async () => {
    writeFiles(folder, {
      'nan.bin': floatBytes([Number.NaN, 0, 0, 0]),
      'nan.yaml': 'name: n\ntask: none\ninputs:\n  - {files: nan.bin, type: float32, shape: [4]}\n',
    });
    mkdirSync(at('untouched'), { recursive: true });
    expect((await run('quantize', 'float.tflite', '--calibrate', 'nan.yaml', '-o', 'untouched/x.tflite')).code).toBe(3);
    expect(readdirSync(at('untouched'))).toEqual([]);
  });

  test('an interrupt ends the work cleanly, with exit code 130', async () => {
    const child = spawn(
      process.execPath,
      [
        path.resolve('bin/atoll.js'),
        'run',
        'float.tflite',
        '--input',
        'data.bin',
        '--repeat',
        '100000000',
        '--output',
        'interrupted.bin',
      ],
      { cwd: folder },
    );
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += String(chunk);
      // Once only: a second one ends the process at once, as impatient users expect.
      if (stderr.includes('run ...') && !child.killed) child.kill('SIGINT');
    });
    const code = await new Promise((resolve) => child.on('exit', resolve));
    expect(code).toBe(130);
    expect(stderr).toMatch(/INTERRUPTED/);
    expect(existsSync(at('interrupted.bin'))).toBe(false);
  });
});

test("flash writes a slot image to a bootloader's drive, within the slots, or prints what it would do", async () => {
  await run('quantize', 'float.tflite', '--calibrate', 'data.yaml', '-o', 'out/flash.tflite');
  mkdirSync(at('drive'), { recursive: true });
  writeFiles(at('drive'), { 'INFO_UF2.TXT': 'UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n' });
  const flash = (...args: string[]) =>
    run('flash', 'out/flash.tflite', '--target', 'pico', '--drive', 'drive', ...args, '--json');
  expect(jsonOf(await flash('--dry-run'))).toMatchObject({
    schema: 'atoll/flash/1',
    written: false,
    method: 'uf2',
    through: 'drive (RPI-RP2)',
  });
  expect(readdirSync(at('drive'))).toEqual(['INFO_UF2.TXT']);
  const written = jsonOf(await flash()) as { written: boolean; address: number; imageBytes: number };
  expect(written).toMatchObject({ written: true });
  // The same bytes at the same place as export writes.
  await run('export', 'out/flash.tflite', '--format', 'uf2', '--target', 'pico', '-o', 'model.uf2');
  expect(readFileSync(at('drive/atoll.uf2'))).toEqual(readFileSync(at('model.uf2')));
  expect(await flash('--address', '0x10000000')).toMatchObject({ code: 2 });
  expect(
    jsonOf(await run('flash', 'out/flash.tflite', '--target', 'nano33ble', '--drive', 'drive', '--json')),
  ).toMatchObject({
    error: { code: 'USAGE', message: expect.stringContaining('bossac') },
  });
  expect(jsonOf(await run('flash', 'out/flash.tflite', '--target', 'pico', '--drive', 'out', '--json'))).toMatchObject({
    error: { code: 'UF2_DRIVE' },
  });
});

test('doctor and devices answer as JSON', async () => {
  const { checks, udevRules } = jsonOf(await run('doctor', '--json')) as {
    checks: { what: string }[];
    udevRules: string;
  };
  expect(checks.map(({ what }) => what)).toEqual(expect.arrayContaining(['Node', 'serial ports', 'USB', 'socat']));
  expect(udevRules).toMatch(/idVendor/);
  const listed = await run('devices', 'sim:pico', '--json');
  expect(jsonOf(listed)).toMatchObject({
    devices: expect.arrayContaining([
      expect.objectContaining({ uri: 'sim:pico', answer: expect.objectContaining({ target: 'pico' }) }),
    ]),
  });
});
