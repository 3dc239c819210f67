import { expect, test } from 'vitest';
import { type Model, TensorType, writeModel } from '../../../src/formats/tflite/index.js';
import { suggestionsFor } from '../../../src/optimize/suggestions.js';
import { checkModel, loadTarget, type Target } from '../../../src/targets/index.js';
import { branchingModel, convOptions, denseModel, modelOf, wideModel } from '../../support/models.js';

/** A board with so much room for an arena. */
async function boardWith(arenaBytes: number): Promise<Target> {
  const board = await loadTarget('nano33ble');
  return { ...board, ram: { bytes: arenaBytes + 1024, firmwareBytes: 1024 } };
}

async function suggestionsOf(model: Model, arenaBytes: number) {
  const target = await boardWith(arenaBytes);
  const bytes = writeModel(model);
  return suggestionsFor(bytes, model, target, checkModel(model, target, bytes.length));
}

/** Convolutions one after another, with so many channels between them. */
function chain(type: number, ...channels: readonly number[]): Model {
  const scale = 0.1;
  const count = channels.length;
  return modelOf(
    [
      ...channels.map((c, i) => ({ name: i === 0 ? 'x' : `t${i}`, shape: [1, 16, 16, c], type, scale })),
      ...channels.slice(1).map((c, i) => ({
        shape: [c, 1, 1, channels[i] as number],
        data: new Int8Array(c * (channels[i] as number)),
        scale,
      })),
    ],
    channels.slice(1).map((_, i) => ({
      op: 'CONV_2D' as const,
      inputs: [i, count + i, -1],
      outputs: [i + 1],
      options: convOptions(),
    })),
    [0],
    [count - 1],
  );
}

test('a model that fits needs none', async () => {
  expect(await suggestionsOf(wideModel(), 2 ** 20)).toEqual([]);
});

test('int16 activations: int8 is tried, and measured', async () => {
  const suggestions = await suggestionsOf(chain(TensorType.INT16, 8, 8, 8), 6000);
  expect(suggestions.find(({ kind }) => kind === 'int8')).toMatchObject({ fits: true });
  expect((await suggestionsOf(chain(TensorType.INT8, 8, 8, 8), 3000)).map(({ kind }) => kind)).not.toContain('int8');
});

test('if no single change is sufficient, combinations are tried, and called sufficient only if they are', async () => {
  const model = chain(TensorType.INT16, 8, 8, 8);
  const suggestions = await suggestionsOf(model, 2600);
  const alone = suggestions.filter(({ kind }) => kind !== 'together' && kind !== 'other-target');
  expect(alone.map(({ fits }) => fits)).toEqual([false, false]);
  expect(suggestions.find(({ kind }) => kind === 'together')).toMatchObject({
    fits: true,
    changes: [{ kind: 'int8' }, { kind: 'smaller-input', to: [8, 8] }],
  });
  expect((await suggestionsOf(model, 500)).find(({ kind }) => kind === 'together')).toMatchObject({ fits: false });
});

test('a smaller input is tried at three quarters, then at half', async () => {
  const suggestions = await suggestionsOf(wideModel(), 150_000);
  const smaller = suggestions.find(({ kind }) => kind === 'smaller-input');
  expect(smaller).toMatchObject({ from: [160, 160], to: [80, 80], fits: true });
});

test('boards that fit are named, the smallest first; if no board can fit, none is', async () => {
  const suggestions = await suggestionsOf(wideModel(), 150_000);
  const boards = suggestions.filter(({ kind }) => kind === 'other-target');
  expect(boards.length).toBeGreaterThan(0);
  expect(boards.every(({ fits }) => fits)).toBe(true);
  expect(await suggestionsOf(denseModel(), 2 ** 20)).toEqual([]);
});

test('a memory plan is offered where it makes the arena smaller', async () => {
  const suggestions = await suggestionsOf(branchingModel(), 5000);
  expect(suggestions.find(({ kind }) => kind === 'memory-plan')).toMatchObject({ fits: true });
});
