// Trains the digits model and writes digits_float.tflite: a small separable convolutional network, some minutes on one
// core. Run it with `node examples/digits/train.js` after `npm ci`; the same seed gives the same model.
import { writeFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers';
import * as tflite from '../../dist/formats/tflite/index.js';
import { imagesOf, split } from './data.js';

const epochs = 8;
const batchSize = 32;
const seed = 20;

function network() {
  const conv = (options) => ({ padding: 'same', activation: 'relu', kernelInitializer: initializer(), ...options });
  return sequential({
    layers: [
      layers.conv2d(conv({ inputShape: [28, 28, 1], filters: 8, kernelSize: 3, strides: 2 })),
      layers.depthwiseConv2d(conv({ kernelSize: 3, depthwiseInitializer: initializer() })),
      layers.conv2d(conv({ filters: 16, kernelSize: 1 })),
      layers.depthwiseConv2d(conv({ kernelSize: 3, strides: 2, depthwiseInitializer: initializer() })),
      layers.conv2d(conv({ filters: 24, kernelSize: 1 })),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax', kernelInitializer: initializer() }),
    ],
  });
}

let nextSeed = seed;
function initializer() {
  nextSeed += 1;
  return initializers.glorotUniform({ seed: nextSeed });
}

/** A fixed order in which all digits are mixed. */
function shuffled(samples) {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const out = [...samples];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

function tensorsOf(samples) {
  const images = new Float32Array(samples.length * 784);
  for (const [i, { image }] of samples.entries()) for (let k = 0; k < 784; k++) images[i * 784 + k] = image[k] / 255;
  return {
    x: tf.tensor4d(images, [samples.length, 28, 28, 1]),
    y: tf.oneHot(
      tf.tensor1d(
        samples.map(({ digit }) => digit),
        'int32',
      ),
      10,
    ),
  };
}

const { ActivationFunctionType, create, operatorCodeIndex, Padding, schema, TensorType, writeModel } = tflite;

/** Adds a tensor, with data where it is constant; gives its index. */
function addTensor(model, name, shape, data) {
  const buffer =
    data === undefined ? 0 : tflite.addBuffer(model, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const type = data instanceof Int32Array ? TensorType.INT32 : TensorType.FLOAT32;
  return (
    model.subgraphs[0].tensors.push(create(schema.Tensor, { name, shape: Int32Array.from(shape), type, buffer })) - 1
  );
}

/** [h, w, in, out], as tfjs keeps filters, to TFLite's [out, h, w, in]. */
async function filterOf(tensor, permutation) {
  return (await tf.transpose(tensor, permutation).data()).slice();
}

async function toTflite(network) {
  const model = create(schema.Model, {
    version: 3,
    description: 'Handwritten digits, 28 x 28, trained by examples/digits/train.js',
  });
  model.buffers.push(create(schema.Buffer));
  model.subgraphs.push(create(schema.SubGraph, { name: 'main' }));
  const [graph] = model.subgraphs;
  let current = addTensor(model, 'image', [1, 28, 28, 1]);
  graph.inputs = Int32Array.of(current);
  const addOperator = (name, inputs, output, builtinOptions) => {
    const opcodeIndex = operatorCodeIndex(model, name, 1);
    graph.operators.push(
      create(schema.Operator, {
        opcodeIndex,
        inputs: Int32Array.from(inputs),
        outputs: Int32Array.of(output),
        builtinOptions,
      }),
    );
    current = output;
  };
  const RELU = ActivationFunctionType.RELU;
  for (const layer of network.layers) {
    const shape = [1, ...layer.outputShape.slice(1)];
    const output = addTensor(model, layer.name, shape);
    if (layer.getClassName() === 'Flatten') {
      const newShape = Int32Array.from(shape);
      addOperator('RESHAPE', [current, addTensor(model, `${layer.name}/shape`, [2], newShape)], output, {
        kind: 'ReshapeOptions',
        newShape,
      });
      continue;
    }
    const [kernel, bias] = layer.getWeights();
    const biasTensor = addTensor(model, `${layer.name}/bias`, bias.shape, (await bias.data()).slice());
    const [strideH, strideW] = layer.strides ?? [1, 1];
    const geometry = {
      padding: Padding.SAME,
      strideH,
      strideW,
      dilationHFactor: 1,
      dilationWFactor: 1,
      fusedActivationFunction: RELU,
    };
    if (layer.getClassName() === 'DepthwiseConv2D') {
      const [height, width, channels] = kernel.shape;
      const filter = addTensor(
        model,
        `${layer.name}/filter`,
        [1, height, width, channels],
        (await kernel.data()).slice(),
      );
      addOperator('DEPTHWISE_CONV_2D', [current, filter, biasTensor], output, {
        kind: 'DepthwiseConv2DOptions',
        ...geometry,
        depthMultiplier: 1,
      });
    } else if (layer.getClassName() === 'Conv2D') {
      const [height, width, input, channels] = kernel.shape;
      const filter = addTensor(
        model,
        `${layer.name}/filter`,
        [channels, height, width, input],
        await filterOf(kernel, [3, 0, 1, 2]),
      );
      addOperator('CONV_2D', [current, filter, biasTensor], output, {
        kind: 'Conv2DOptions',
        ...geometry,
        quantizedBiasType: TensorType.FLOAT32,
      });
    } else {
      const filter = addTensor(
        model,
        `${layer.name}/filter`,
        [kernel.shape[1], kernel.shape[0]],
        await filterOf(kernel, [1, 0]),
      );
      addOperator('FULLY_CONNECTED', [current, filter, biasTensor], output, {
        kind: 'FullyConnectedOptions',
        fusedActivationFunction: ActivationFunctionType.NONE,
        weightsFormat: 0,
        keepNumDims: false,
        asymmetricQuantizeInputs: false,
        quantizedBiasType: TensorType.FLOAT32,
      });
      const probabilities = addTensor(model, 'probabilities', shape);
      addOperator('SOFTMAX', [current], probabilities, { kind: 'SoftmaxOptions', beta: 1 });
    }
  }
  graph.outputs = Int32Array.of(current);
  return writeModel(model);
}

await tf.setBackend('cpu');
const samples = [];
for (let digit = 0; digit < 10; digit++)
  for (const image of split(await imagesOf(digit)).train) samples.push({ digit, image });
const { x, y } = tensorsOf(shuffled(samples));
const model = network();
model.compile({ optimizer: tf.train.adam(0.002), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
await model.fit(x, y, {
  epochs,
  batchSize,
  shuffle: false,
  verbose: 0,
  callbacks: {
    onEpochEnd: (epoch, logs) =>
      console.error(`epoch ${epoch + 1} of ${epochs}: loss ${logs.loss.toFixed(4)}, accuracy ${logs.acc.toFixed(4)}`),
  },
});
const file = new URL('digits_float.tflite', import.meta.url);
await writeFile(file, await toTflite(model));
console.error(`wrote ${file.pathname}`);
