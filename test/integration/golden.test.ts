// Every golden that the simulator's operators and types cover: outputs to the last bit, every layer by its CRC, the
// planned offsets of every tensor, and the size of the whole arena on a Cortex-M4.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Model, readModel } from '../../src/formats/tflite/index.js';
import { arenaOf, bytesOf, Interpreter } from '../../src/simulator/index.js';
import { loadTarget, runtimeKernelsOf } from '../../src/targets/index.js';
import { goldenNames, sharedBytes, sharedJson, sharedModels, sharedPath, sharedTest } from '../support/shared.js';

interface Meta {
  readonly plan: {
    readonly head_bytes: number;
    readonly buffers: readonly {
      kind: string;
      tensor: number;
      offset: number;
      size: number;
      first: number;
      last: number;
    }[];
  };
}

function modelOf(golden: string): Model {
  const file = sharedModels().find((candidate) => path.basename(candidate) === `${golden}.tflite`);
  if (file === undefined) throw new Error(`no model for golden ${golden}`);
  return readModel(sharedBytes('models', file), file);
}

const goldens = goldenNames();

sharedTest('there are goldens', () => {
  expect(goldens.length).toBeGreaterThan(80);
});

for (const golden of goldens) {
  for (const set of ['', '2']) {
    if (!existsSync(sharedPath('golden', golden, `input${set}.bin`))) continue;
    test(`${golden}: outputs of input set ${set || '1'}`, () => {
      const interpreter = new Interpreter(modelOf(golden));
      const input = sharedBytes('golden', golden, `input${set}.bin`);
      const expected = sharedBytes('golden', golden, `output${set}.bin`);
      const samples = input.byteLength / interpreter.inputBytes;
      expect(samples).toBe(expected.byteLength / interpreter.outputBytes);
      expect(samples).toBeGreaterThan(0);
      const outputs = new Uint8Array(expected.byteLength);
      for (let i = 0; i < samples; i++)
        outputs.set(
          interpreter.run(input.subarray(i * interpreter.inputBytes, (i + 1) * interpreter.inputBytes)),
          i * interpreter.outputBytes,
        );
      if (interpreter.outputs[0]?.type === 'float32') expectClose(outputs, expected);
      else expect(Buffer.compare(outputs, expected)).toBe(0);
    });
  }

  if (existsSync(sharedPath('golden', golden, 'output_stream.bin'))) {
    test(`${golden}: a stream, whose variables are not reset`, () => {
      const interpreter = new Interpreter(modelOf(golden));
      const input = sharedBytes('golden', golden, 'input.bin');
      const expected = sharedBytes('golden', golden, 'output_stream.bin');
      const outputs: Uint8Array[] = [];
      for (let at = 0; at < input.byteLength; at += interpreter.inputBytes)
        outputs.push(interpreter.stream(input.subarray(at, at + interpreter.inputBytes)));
      const actual = new Uint8Array(Buffer.concat(outputs));
      if (interpreter.outputs[0]?.type === 'float32') expectClose(actual, expected);
      else expect(Buffer.compare(actual, expected)).toBe(0);
    });
  }

  // Float models differ in the last bits between the golden's own platforms; integer ones nowhere.
  const float = new Interpreter(modelOf(golden)).outputs[0]?.type === 'float32';
  if (!float)
    test(`${golden}: every layer`, () => {
      const model = modelOf(golden);
      const interpreter = new Interpreter(model);
      const input = sharedBytes('golden', golden, 'input.bin');
      const layers = sharedJson<Record<string, string>[]>('golden', golden, 'acts_crc.json');
      let compared = 0;
      for (const [sample, expected] of layers.entries()) {
        interpreter.run(
          input.subarray(sample * interpreter.inputBytes, (sample + 1) * interpreter.inputBytes),
          (operator, outputs) => {
            for (const output of outputs) {
              const crc = expected[output.index];
              if (crc === undefined) continue;
              compared += 1;
              expect(
                crc32(bytesOf(output)).toString(16).padStart(8, '0'),
                `sample ${sample}, operator ${operator}, tensor ${output.label}`,
              ).toBe(crc);
            }
          },
        );
      }
      expect(compared).toBe(layers.length * (model.subgraphs[0]?.operators.length ?? 0));
    });

  test(`${golden}: arena`, async () => {
    const kernels = runtimeKernelsOf(await loadTarget('qemu-mps2-an386'));
    if (kernels === null) throw new Error('no kernels');
    const arena = arenaOf(modelOf(golden), kernels);
    const { plan } = sharedJson<Meta>('golden', golden, 'meta.json');
    expect(arena.headBytes).toBe(plan.head_bytes);
    expect(
      arena.buffers.map(({ tensor, offset, size, first, last }) => ({ tensor, offset, size, first, last })),
    ).toEqual(
      plan.buffers.map(({ kind, tensor, offset, size, first, last }) => ({
        tensor: kind === 'tensor' ? tensor : null,
        offset,
        size,
        first,
        last,
      })),
    );
    expect(arena.arenaBytes).toBe(cortexM4Total(golden));
  });
}

function cortexM4Total(golden: string): number {
  const rows = new TextDecoder().decode(sharedBytes('golden', 'arena.csv')).trim().split('\n');
  const column = (rows[0] ?? '').split(',').indexOf('arena_used_cortex_m4');
  const row = rows.find((line) => line.startsWith(`${golden},`));
  return Number(row?.split(',')[column]);
}

function expectClose(actual: Uint8Array, expected: Uint8Array): void {
  const a = new Float32Array(actual.buffer);
  const b = new Float32Array(expected.slice().buffer);
  let largest = 0;
  for (let i = 0; i < b.length; i++)
    largest = Math.max(largest, Math.abs((a[i] as number) - (b[i] as number)) / Math.max(1, Math.abs(b[i] as number)));
  // The golden's own platforms differ by up to 3e-5.
  expect(largest).toBeLessThan(3e-5);
}
