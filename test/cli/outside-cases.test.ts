// Faults that were found from outside, by their case: what the command line says and does with each.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { exitCodes } from '../../src/base/errors.js';
import { atoll, type CliResult, jsonOf } from '../support/cli.js';
import { temporaryFolder } from '../support/files.js';
import { sharedPath, sharedTest } from '../support/shared.js';

const folder = temporaryFolder();
const at = (...parts: string[]): string => sharedPath('cases', ...parts);

interface Check {
  readonly target: string;
  readonly fits: boolean;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly operators: readonly { readonly op: string; readonly placed: string; readonly reason: string | null }[];
}

const checkOf = (result: CliResult): Check => jsonOf(result) as unknown as Check;

describe('checks', () => {
  sharedTest.each([
    ['C1', 'transpose-conv-autoencoder', 'TRANSPOSE_CONV'],
    ['C1', 'select-v2-on-mcu', 'SELECT_V2'],
  ])('%s: the data operand of %s decides about %s', async (_id, name, op) => {
    const model = path.join(folder, `${name}.tflite`);
    await atoll(['quantize', at(name, 'float.tflite'), '--calibrate', at(name, 'cal.yaml'), '-o', model]);
    const check = checkOf(await atoll(['check', model, '--target', 'stm32h743', '--json']));
    expect(check.operators.find((operator) => operator.op === op)).toMatchObject({ placed: 'cpu', reason: null });
    expect(check.reasons).toEqual([]);
  });

  sharedTest('C6: files of Vela are recognized, with their purpose', async () => {
    const model = at('vela-compiled', 'object_detection_vela.tflite');
    expect((await atoll(['inspect', model])).stdout).toContain('compiled by Vela for an Ethos-U');
    for (const args of [
      ['run', model, '--input', model],
      ['quantize', model, '-o', path.join(folder, 'vela.tflite')],
    ]) {
      expect(await atoll(args)).toMatchObject({
        code: 3,
        stderr: expect.stringContaining('MODEL_COMPILED: the model is already compiled for an Ethos-U'),
      });
    }
    const { reasons } = checkOf(await atoll(['check', model, '--target', 'corstone300', '--json']));
    expect(reasons.map(({ code }) => code)).toContain('COMPILED');
  });

  sharedTest.each([
    ['float64-cast.tflite', 'CAST with float64 (operator 0, 1)'],
    ['uint16-cast.tflite', 'CAST with uint16 (operator 1, 2)'],
    [
      'variant-flex-456B.tflite',
      'custom:FlexTensorListReserve with variant (operator 0); custom:FlexTensorListStack with variant (operator 1)',
    ],
  ])('C7, C14: %s: every operator that nothing runs is named', async (file, named) => {
    const model = at('other-types', file);
    const failed = await atoll(['run', model, '--input', model]);
    expect(failed).toMatchObject({ code: 3, stderr: expect.stringContaining('error OPERATORS_UNSUPPORTED') });
    expect(failed.stderr).toContain(named);
    for (const target of ['nano33ble', 'coral-usb']) {
      const { reasons, operators } = checkOf(await atoll(['check', model, '--target', target, '--json']));
      // What can never run comes before what quantizing would mend.
      expect(reasons[0]).toMatchObject({ code: 'SIMULATOR', message: expect.stringContaining(named) });
      expect(reasons.at(-1)?.code).toBe('FLOAT');
      for (const { op, placed } of operators) if (op.startsWith('custom:')) expect(placed).toBe('unsupported');
    }
  });
});

describe('conversion', () => {
  sharedTest('C2: a negation within layer normalization becomes a difference', async () => {
    const model = path.join(folder, 'layer-normalization.tflite');
    const quantized = await atoll([
      'quantize',
      at('layer-normalization', 'float.tflite'),
      '--calibrate',
      at('layer-normalization', 'cal.yaml'),
      '-o',
      model,
    ]);
    expect(quantized.code).toBe(0);
    expect((await atoll(['inspect', model])).stdout).not.toContain('NEG');
    const compared = jsonOf(
      await atoll([
        'compare',
        at('layer-normalization', 'float.tflite'),
        model,
        '--data',
        at('layer-normalization', 'test.yaml'),
        '--json',
      ]),
    );
    const tensors = compared.tensors as readonly { readonly name: string; readonly signalToNoise: number }[];
    expect(tensors.at(-1)?.signalToNoise).toBeGreaterThan(25);
  });

  sharedTest.each(['dynamic-range', 'float16'])('C3: a custom operator is unchanged in %s', async (scheme) => {
    const model = path.join(folder, `postprocess-${scheme}.tflite`);
    expect(
      await atoll(['quantize', at('detection-postprocess', 'dpp.tflite'), '--scheme', scheme, '-o', model]),
    ).toMatchObject({ code: 0 });
    expect((await atoll(['inspect', model])).stdout).toContain('custom:TFLite_Detection_PostProcess');
  });

  sharedTest.each(['qat_pc_float', 'qat_pt_float'])('C4: %s runs, and is deployed', async (name) => {
    const [model, data] = [at('qat-float-io', `${name}.tflite`), at('qat-float-io', 'e.yaml')];
    expect(await atoll(['evaluate', model, '--data', data])).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining('error'),
    });
    expect(await atoll(['compare', model, model, '--data', at('qat-float-io', 'test.yaml')])).toMatchObject({
      code: 0,
    });
    const deployed = await atoll([
      'deploy',
      model,
      '--data',
      data,
      '--target',
      'stm32h743',
      '--device',
      'sim:stm32h743',
      '-o',
      path.join(folder, name),
      '--json',
    ]);
    expect(jsonOf(deployed), deployed.stderr).toMatchObject({
      push: { state: 'confirmed' },
      gates: [{ gate: 'max-drop', passed: true }],
    });
  });

  sharedTest('C5: shapes missing in the file are computed', async () => {
    const { outputs } = jsonOf(await atoll(['inspect', at('shape-missing', 'style_transfer.tflite'), '--json']));
    expect(outputs).toEqual([expect.objectContaining({ shape: [] })]);
    const result = await atoll([
      'run',
      at('shape-missing', 'style_transfer.tflite'),
      '--input',
      at('shape-missing', 'style_transfer.tflite'),
    ]);
    // The size that one sample takes is known, which needs every shape.
    expect(result).toMatchObject({ code: 3, stderr: expect.stringContaining('1769872 bytes') });
  });

  sharedTest.each(['s1100', 's1561', 's1769', 's3424'])(
    'C8: hostile model %s gives a coded error or a result',
    async (name) => {
      for (const args of [
        ['quantize', '--scheme', 'dynamic-range'],
        ['quantize', '--scheme', 'int8'],
        ['optimize', '--prune', '0.5'],
      ]) {
        const [verb = '', ...options] = args;
        const result = await atoll([
          verb,
          at('hostile-models', `${name}.tflite`),
          ...options,
          '-o',
          path.join(folder, 'hostile.tflite'),
        ]);
        expect([0, 3]).toContain(result.code);
      }
    },
  );
});

describe('state', () => {
  const model = at('streaming-state', 'hey_mycroft.tflite');
  // Six frames, to which TensorFlow 2.21 (reference kernels) answers 2 1 0 0 0 0 one after another, and 2 to each in an
  // interpreter of its own.
  const frames = Uint8Array.from({ length: 6 * 120 }, (_, i) => (13 * i - 128) & 0xff);

  sharedTest('S1: samples of one file are a stream on request, on the host and on a device', async () => {
    const [input, output] = [path.join(folder, 'frames.bin'), path.join(folder, 'answers.bin')];
    writeFileSync(input, frames);
    const run = async (...options: string[]): Promise<{ answers: number[]; warnings: unknown }> => {
      const { warnings } = jsonOf(
        await atoll(['run', model, '--input', input, '--output', output, '--json', ...options]),
      );
      return { answers: [...readFileSync(output)], warnings };
    };
    for (const device of [[], ['--device', 'sim:stm32h743']]) {
      expect(await run(...device)).toEqual({
        answers: [2, 2, 2, 2, 2, 2],
        warnings: [expect.objectContaining({ code: 'STATE_PER_SAMPLE' })],
      });
      expect(await run('--stream', ...device)).toEqual({ answers: [2, 1, 0, 0, 0, 0], warnings: [] });
    }
    expect(await atoll(['run', model, '--input', input, '--stream', '--threads', '2'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('STREAM_UNSUPPORTED'),
    });
  });
});

describe('data and limits', () => {
  sharedTest('D3: a ruined model is not activated, unless it is forced', async () => {
    const args = [
      'deploy',
      at('scaling-mistakes', 'digits8.tflite'),
      '--calibrate',
      at('scaling-mistakes', 'd_cal255.yaml'),
      '--target',
      'stm32h743',
    ];
    const rest = [
      '--data',
      at('scaling-mistakes', 'd_val.yaml'),
      '--device',
      'sim:stm32h743',
      '--json',
      '-o',
      path.join(folder, 'ruined'),
    ];
    const refused = await atoll([...args, ...rest]);
    expect(refused.code).toBe(1);
    expect(jsonOf(refused)).toMatchObject({
      error: { code: 'GATE_FAILED', message: expect.stringMatching(/top1 drops by \d\d\.\d points/) },
    });
    expect(jsonOf(await atoll([...args, ...rest, '--force']))).toMatchObject({
      forced: true,
      gates: [{ gate: 'max-drop', passed: false, certain: true }],
    });
  });

  sharedTest('D2: data scaled differently from the training data gives a warning with its scale', async () => {
    const [model, data, out] = [
      at('scaling-mistakes', 'digits8.tflite'),
      at('scaling-mistakes', 'd_val.yaml'),
      path.join(folder, 'd2.tflite'),
    ];
    for (const calibration of ['d_cal255.yaml', 'c255b.yaml']) {
      const quantized = jsonOf(
        await atoll([
          'quantize',
          model,
          '--calibrate',
          at('scaling-mistakes', calibration),
          '--data',
          data,
          '-o',
          out,
          '--json',
        ]),
      );
      const { warnings } = quantized as { warnings: { code: string; message: string }[] };
      expect(warnings.map(({ code }) => code)).toEqual(expect.arrayContaining(['UNSCALED_INTEGERS', 'UNFILLED_INPUT']));
      expect(warnings.find(({ code }) => code === 'UNFILLED_INPUT')?.message).toMatch(
        /are only from 0 to 1; it was calibrated for 0 to 255/,
      );
    }
    const args = [
      'deploy',
      model,
      '--calibrate',
      at('scaling-mistakes', 'd_cal255.yaml'),
      '--data',
      data,
      '--target',
      'stm32h743',
    ];
    const refused = await atoll([...args, '--device', 'sim:stm32h743', '-o', path.join(folder, 'd2')]);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/Possible causes: .*integers from disk unscaled.*calibrated for 0 to 255/),
    });
  });

  sharedTest.each([
    [
      'detection-head-one-scale',
      { COARSE_SCALE: /operator 10 CONCATENATION joins it with others/, CONSTANT_OUTPUT: /^5 of 9 channels/ },
    ],
    ['regression-wide-features', { LOST_FEATURES: /^4 of 6 features/, CONSTANT_OUTPUT: /^1 of 1 channels/ }],
  ] as const)('A2: what a scale is too coarse for in %s is told of, with the cause', async (name, expected) => {
    const quantized = jsonOf(
      await atoll([
        'quantize',
        at(name, 'float.tflite'),
        '--calibrate',
        at(name, 'cal.yaml'),
        '-o',
        path.join(folder, 'a2.tflite'),
        '--json',
      ]),
    );
    const warnings = new Map(
      (quantized as { warnings: { code: string; message: string }[] }).warnings.map(({ code, message }) => [
        code,
        message,
      ]),
    );
    for (const [code, message] of Object.entries(expected)) expect(warnings.get(code)).toMatch(message);
  });

  sharedTest('A1: a limit in per cent is one of the float value, in the direction of the metric', async () => {
    const data = ['--data', at('advise-mse', 'eval.yaml'), '--calibrate', at('advise-mse', 'cal.yaml')];
    const advised = jsonOf(
      await atoll([
        'advise',
        at('advise-mse', 'float.tflite'),
        '--target',
        'nano33ble',
        ...data,
        '--max-drop',
        '1%',
        '--json',
      ]),
    );
    expect(advised).toMatchObject({
      recommended: 'int16x8',
      why: expect.stringContaining('no fitting candidate is within the limits'),
    });
  });

  sharedTest('A3: for the Edge TPU only schemes that it supports are tried', async () => {
    const data = ['--data', at('advise-mse', 'eval.yaml'), '--calibrate', at('advise-mse', 'cal.yaml')];
    const { trials } = jsonOf(
      await atoll(['advise', at('advise-mse', 'float.tflite'), '--target', 'coral-usb', ...data, '--json']),
    );
    const schemes = (trials as { candidate: { scheme: string } }[]).map(({ candidate }) => candidate.scheme);
    expect(schemes.filter((scheme) => scheme.startsWith('int16x8'))).toEqual([]);
    expect(schemes).toContain('int8');
  });

  sharedTest(
    'D1: channels first are refused with the key that transposes them, and with it the model is as good as it is',
    async () => {
      const model = at('layout-nchw', 'shapes.tflite');
      const refused = await atoll(['evaluate', model, '--data', at('layout-nchw', 'nchw.yaml')]);
      expect(refused).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/\[3, 48, 48\].*looks like channels first \(NCHW\); `layout: nchw` in/),
      });
      const data = path.join(folder, 'nchw.yaml');
      writeFileSync(
        data,
        'name: n\ntask: classification\nlayout: nchw\ninputs: [{files: ' +
          `${at('layout-nchw', 'sh_nchw.npy')}}]\nlabels: ${at('layout-nchw', 'sh_y.npy')}\n`,
      );
      expect(jsonOf(await atoll(['evaluate', model, '--data', data, '--json']))).toMatchObject({ value: 1 });
    },
  );

  sharedTest('D4: run reads arrays as arrays, and refuses those of another shape', async () => {
    const model = at('run-npy', 'digits8.int8.tflite');
    expect(jsonOf(await atoll(['run', model, '--input', at('run-npy', 'digits_x.npy'), '--json']))).toMatchObject({
      samples: 397,
    });
    const other = await atoll(['run', model, '--input', at('layout-nchw', 'sh_nchw.npy')]);
    expect(other).toMatchObject({ code: 3, stderr: expect.stringContaining('its shape is [30, 3, 48, 48]') });
  });

  // scikit-learn 1.9 on the outputs of AI Edge LiteRT: accuracy_score at 0.5, roc_auc_score.
  sharedTest.each([
    ['bin.yaml', 'top1', 0.8866498740554156],
    ['bin_auc.yaml', 'auc', 0.9472958480159338],
  ])('D6: one sigmoid output is two classes: %s', async (data, metric, value) => {
    const result = jsonOf(
      await atoll(['evaluate', at('sigmoid-output', 'binary.tflite'), '--data', at('sigmoid-output', data), '--json']),
    );
    expect(result).toMatchObject({
      metric,
      value: expect.closeTo(value, 6),
      confusion: { matrix: [expect.any(Array), expect.any(Array)] },
    });
  });

  sharedTest('D6: inputs have the names of the signature as well as those of the tensors', async () => {
    const [model, array] = [at('layer-normalization', 'float.tflite'), at('layer-normalization', 'cal0.npy')];
    for (const name of ['keras_tensor_4', 'serving_default_keras_tensor_4:0'])
      expect(jsonOf(await atoll(['run', model, '--input', `${name}=${array}`, '--json']))).toMatchObject({
        samples: 50,
      });
    const data = path.join(folder, 'named.yaml');
    writeFileSync(data, `name: named\ntask: none\ninputs: [{name: keras_tensor_4, files: ${array}}]\n`);
    expect((await atoll(['compare', model, model, '--data', data])).code).toBe(0);
  });

  sharedTest.each([
    ['csv.yaml', 'text file'],
    ['wav.yaml', 'audio recording'],
  ])('D5: %s names a %s, which is refused as such', async (data, what) => {
    const refused = await atoll(['evaluate', at('csv-and-wav', 'wavmodel.tflite'), '--data', at('csv-and-wav', data)]);
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining(`${what}, which is not supported yet`) });
  });
});

describe('processes', () => {
  // A counter that is to reach 5 in steps of 0.
  const nothing = new Uint8Array(8);

  sharedTest.each([
    ['SIGINT', 3000],
    ['SIGTERM', 3000],
    // At the start of the computation, or before it.
    ['SIGINT', 450],
  ] as const)('P1: %s after %d ms ends what computes without end', async (signal, afterMs) => {
    const input = path.join(folder, 'endless.bin');
    writeFileSync(input, nothing);
    const child = spawn(process.execPath, [
      'bin/atoll.js',
      'run',
      at('endless-while', 'while-inf.tflite'),
      '--input',
      input,
    ]);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    expect(child.exitCode).toBeNull();
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    // The exit code of INTERRUPTED, or death by the signal if no handler was installed yet.
    expect([child.exitCode, child.signalCode]).toEqual(
      child.signalCode === null ? [exitCodes.interrupted, null] : [null, signal],
    );
  });

  sharedTest('P1: a simulated device ends such a run, and answers again', async () => {
    const input = path.join(folder, 'endless.bin');
    writeFileSync(input, nothing);
    const result = await atoll([
      'run',
      at('endless-while', 'while-inf.tflite'),
      '--input',
      input,
      '--device',
      'sim:stm32h743',
    ]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/the watchdog stopped it/);
  });
});
