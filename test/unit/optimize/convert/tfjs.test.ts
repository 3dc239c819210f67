// Models that TensorFlow.js builds and saves here, converted and run: the outputs are those that TensorFlow.js
// computes.

import '@tensorflow/tfjs-backend-cpu';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { decodeSource, readSource } from '../../../../src/formats/source/index.js';
import { convert } from '../../../../src/optimize/convert/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';
import { temporaryFolder, writeFiles } from '../../../support/files.js';

const folder = temporaryFolder();
type Layer = Parameters<layers.Sequential['add']>[0];
type Manifest = { name: string; shape: number[]; dtype: string; quantization?: object }[];

function sequential(...all: readonly Layer[]): layers.Sequential {
  const model = layers.sequential();
  for (const layer of all) model.add(layer);
  return model;
}

/** Weights that matter: those of new layers are often 0. */
function draw(model: layers.LayersModel): void {
  let seed = 1;
  const values = (count: number, isVariance: boolean): Float32Array =>
    Float32Array.from({ length: count }, () => Math.sin(seed++) * (isVariance ? 0.4 : 0.7) + (isVariance ? 1 : 0));
  for (const layer of model.layers)
    layer.setWeights(
      layer.weights.map(({ name, shape }) => {
        const sizes = shape.map((size) => size ?? 1);
        const count = sizes.reduce((product, size) => product * size, 1);
        return tf.tensor(values(count, name.includes('variance')), sizes);
      }),
    );
}

/** Saves a model as TensorFlow.js does: model.json, and its weights in one file. @returns the path of model.json */
async function save(
  name: string,
  model: layers.LayersModel,
  change: (specs: Manifest, data: Uint8Array) => { specs: Manifest; data: Uint8Array } = (specs, data) => ({
    specs,
    data,
  }),
): Promise<string> {
  let saved = '';
  await model.save({
    save: (artifacts) => {
      const { specs, data } = change(
        artifacts.weightSpecs as Manifest,
        new Uint8Array(artifacts.weightData as ArrayBuffer),
      );
      writeFiles(folder, {
        [`${name}.json`]: JSON.stringify({
          format: 'layers-model',
          modelTopology: artifacts.modelTopology,
          weightsManifest: [{ paths: [`${name}.bin`], weights: specs }],
        }),
        [`${name}.bin`]: data,
      });
      saved = path.join(folder, `${name}.json`);
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    },
  });
  return saved;
}

async function outputsOf(file: string, inputs: readonly Float32Array[]): Promise<Float32Array[]> {
  const source = await readSource(file);
  if (source === null) throw new Error('not a source model');
  const interpreter = new Interpreter((await convert(source)).model);
  inputs.forEach((values, i) => {
    interpreter.setInput(i, new Uint8Array(values.buffer));
  });
  interpreter.invoke();
  return interpreter.outputs.map((_, i) => new Float32Array(interpreter.output(i).buffer));
}

function inputFor(shape: readonly (number | null)[]): tf.Tensor {
  const sizes = [1, ...shape.slice(1).map((size) => size ?? 1)];
  const count = sizes.reduce((product, size) => product * size, 1);
  return tf.tensor(
    Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.7)),
    sizes,
  );
}

async function expectSame(name: string, model: layers.LayersModel): Promise<void> {
  draw(model);
  const inputs = model.inputs.map(({ shape }) => inputFor(shape));
  const predicted = [model.predict(inputs)].flat();
  const actual = await outputsOf(
    await save(name, model),
    inputs.map((input) => Float32Array.from(input.dataSync())),
  );
  expect(actual).toHaveLength(predicted.length);
  for (const [i, tensor] of predicted.entries()) {
    const expected = tensor.dataSync();
    expect(actual[i]).toHaveLength(expected.length);
    for (const [at, value] of Array.from(expected).entries()) expect(actual[i]?.[at]).toBeCloseTo(value, 4);
  }
}

const l = layers.layers;
const image = { inputShape: [8, 8, 3] };
const series = { inputShape: [6, 4] };

describe('a layers model computes what TensorFlow.js does', () => {
  test.each<[name: string, build: () => layers.LayersModel]>([
    [
      'convolutions',
      () =>
        sequential(
          l.conv2d({ ...image, filters: 4, kernelSize: 3, strides: 2, padding: 'same', useBias: false }),
          l.batchNormalization(),
          l.reLU({ maxValue: 6 }),
          l.depthwiseConv2d({ kernelSize: 3, activation: 'elu' }),
          l.separableConv2d({ filters: 5, kernelSize: 2, activation: 'sigmoid' }),
          l.flatten(),
          l.dense({ units: 3, activation: 'softmax' }),
        ),
    ],
    [
      'pools and shapes',
      () =>
        sequential(
          l.zeroPadding2d({
            ...image,
            padding: [
              [0, 1],
              [0, 1],
            ] as never,
          }),
          l.maxPooling2d({ poolSize: 3, strides: 2 }),
          l.upSampling2d({ size: [2, 2] }),
          l.averagePooling2d({ poolSize: 2, padding: 'same' }),
          l.cropping2D({
            cropping: [
              [1, 0],
              [0, 1],
            ],
          }),
          l.permute({ dims: [2, 1, 3] }),
          l.reshape({ targetShape: [-1, 3] }),
          l.globalMaxPooling1d({}),
        ),
    ],
    [
      'an LSTM',
      () =>
        sequential(
          l.lstm({
            ...series,
            units: 3,
            recurrentInitializer: 'zeros',
            recurrentActivation: 'sigmoid',
            returnSequences: true,
          }),
        ),
    ],
    [
      'an LSTM with another activation',
      () =>
        sequential(l.lstm({ ...series, units: 3, recurrentInitializer: 'zeros', recurrentActivation: 'hardSigmoid' })),
    ],
    [
      'a GRU',
      () => sequential(l.gru({ ...series, units: 3, recurrentInitializer: 'zeros', recurrentActivation: 'sigmoid' })),
    ],
    [
      'a simple recurrence',
      () => sequential(l.simpleRNN({ ...series, units: 3, recurrentInitializer: 'zeros', returnSequences: true })),
    ],
    [
      'both directions',
      () =>
        sequential(
          l.bidirectional({
            ...series,
            layer: l.lstm({ units: 2, recurrentInitializer: 'zeros', recurrentActivation: 'sigmoid' }) as never,
            mergeMode: 'concat',
          }),
        ),
    ],
    ['steps', () => sequential(l.timeDistributed({ ...series, layer: l.dense({ units: 2, activation: 'tanh' }) }))],
    [
      'a one-dimensional convolution',
      () => sequential(l.conv1d({ ...series, filters: 3, kernelSize: 2 }), l.leakyReLU()),
    ],
    ['normalization of layers', () => sequential(l.layerNormalization(series), l.prelu({}))],
    [
      'branches and shared layers',
      () => {
        const x = layers.input({ shape: [5], name: 'x' });
        const shared = l.dense({ units: 4, activation: 'softplus', name: 'shared' });
        const narrow = l.dense({ units: 5, name: 'narrow' }).apply(x) as layers.SymbolicTensor;
        const sum = l.add().apply([shared.apply(x), shared.apply(narrow)] as never) as layers.SymbolicTensor;
        const both = l.concatenate().apply([sum, x]) as layers.SymbolicTensor;
        return layers.model({ inputs: x, outputs: [both, sum] });
      },
    ],
    [
      'models within models',
      () => {
        const inner = sequential(l.dense({ inputShape: [3], units: 3 }), l.batchNormalization());
        return sequential(l.dense({ inputShape: [4], units: 3 }), inner, l.activation({ activation: 'hardSigmoid' }));
      },
    ],
  ])('%s', async (name, build) => {
    await expectSame(name.replaceAll(' ', '-'), build());
  });
});

describe('stored weights', () => {
  const build = (): layers.Sequential => {
    const model = sequential(l.dense({ inputShape: [2], units: 1, useBias: false }));
    model.setWeights([tf.tensor([0.5, -1], [2, 1])]);
    return model;
  };
  const inputs = [Float32Array.of(1, 2)];

  test('as 8-bit integers', async () => {
    const file = await save('bytes', build(), (specs) => ({
      specs: specs.map((spec) => ({ ...spec, quantization: { dtype: 'uint8', scale: 0.5, min: -3 } })),
      data: Uint8Array.of(7, 4),
    }));
    // 7 * 0.5 - 3 = 0.5, and 4 * 0.5 - 3 = -1
    expect(await outputsOf(file, inputs)).toEqual([Float32Array.of(0.5 - 2)]);
  });

  test('as half-precision numbers', async () => {
    const file = await save('halves', build(), (specs) => ({
      specs: specs.map((spec) => ({ ...spec, quantization: { dtype: 'float16', original_dtype: 'float32' } })),
      data: Uint8Array.of(0x00, 0x38, 0x00, 0xbc),
    }));
    expect(await outputsOf(file, inputs)).toEqual([Float32Array.of(0.5 - 2)]);
  });

  test('that end early are named', async () => {
    const file = await save('short', build(), (specs, data) => ({ specs, data: data.slice(0, 7) }));
    await expect(readSource(file)).rejects.toMatchObject({
      code: 'SOURCE_INVALID',
      message: expect.stringMatching(/end before the weights \S*kernel: 7 bytes/),
    });
  });

  test.each(['../secret.bin', '/etc/passwd', 'a/../../b', 'C:\\b'])(
    'outside its folder are not read: %s',
    async (name) => {
      const file = JSON.stringify({
        modelTopology: { class_name: 'Sequential', config: { layers: [] } },
        weightsManifest: [{ paths: [name], weights: [] }],
      });
      await expect(decodeSource(new TextEncoder().encode(file), 'model.json')).rejects.toMatchObject({
        code: 'SOURCE_INVALID',
        message: expect.stringContaining('outside its folder'),
      });
    },
  );

  test('that are not given are named', async () => {
    const file = JSON.stringify({
      modelTopology: { class_name: 'Sequential', config: { layers: [] } },
      weightsManifest: [{ paths: ['w.bin'], weights: [] }],
    });
    await expect(decodeSource(new TextEncoder().encode(file), 'model.json')).rejects.toThrow(
      /in w\.bin, which is not given/,
    );
  });
});
