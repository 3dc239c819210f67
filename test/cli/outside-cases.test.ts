// Faults that were found from outside, by their case: what the command line says and does with each.

import path from 'node:path';
import { describe, expect } from 'vitest';
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

  sharedTest('C6: files of Vela are recognized, with what they are good for', async () => {
    const model = at('vela-compiled', 'object_detection_vela.tflite');
    expect((await atoll(['inspect', model])).stdout).toContain('compiled by Vela for an Ethos-U');
    for (const args of [
      ['run', model, '--input', model],
      ['quantize', model, '-o', path.join(folder, 'vela.tflite')],
    ]) {
      expect(await atoll(args)).toMatchObject({ code: 3, stderr: expect.stringContaining('MODEL_COMPILED: the model is compiled for an Ethos-U') });
    }
    const { reasons } = checkOf(await atoll(['check', model, '--target', 'corstone300', '--json']));
    expect(reasons.map(({ code }) => code)).toContain('COMPILED');
  });

  sharedTest.each([
    ['float64-cast.tflite', 'CAST with float64 (operator 0, 1)'],
    ['uint16-cast.tflite', 'CAST with uint16 (operator 1, 2)'],
    ['variant-flex-456B.tflite', 'custom:FlexTensorListReserve with variant (operator 0); custom:FlexTensorListStack with variant (operator 1)'],
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
