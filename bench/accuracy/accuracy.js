// Compares the int8 models of `quantize` with those of Google's converter, on every float model of a folder: signal to
// noise of the outputs against the float model, and how often the largest output is the same.
//
//   npm install --prefix bench/accuracy
//   python -m venv V && V/bin/pip install tensorflow-cpu==2.21 ai-edge-quantizer
//   node bench/accuracy/accuracy.js V/bin/python [name ...]
//
// Models and keywords come from ATOLL_SHARED (default ../shared). Both models run in the simulator (tflm-reference).
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Interpreter, quantize, readModel, schemeOf } from '../../dist/index.js';
import { inputsOf } from './inputs.js';

const calibrationSamples = 100;
/** Digits are small: all that there are. */
const evaluationSamples = (file) => (file.includes('mnist') ? 3600 : 1000);
const shared = process.env.ATOLL_SHARED ?? '../shared';
const [python, ...names] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const variants = {
  plain: { dense: 'per-channel' },
  best: { dense: 'per-channel', ranges: 'auto', repairs: ['equalization', 'bias-correction', 'adaptive-rounding'] },
};

const setters = {
  float32: ['setFloat32', 4],
  int8: ['setInt8', 1],
  uint8: ['setUint8', 1],
  bool: ['setUint8', 1],
  int16: ['setInt16', 2],
  int32: ['setInt32', 4],
};
const getters = {
  float32: ['getFloat32', 4],
  int8: ['getInt8', 1],
  uint8: ['getUint8', 1],
  bool: ['getUint8', 1],
  int16: ['getInt16', 2],
  int32: ['getInt32', 4],
};
const limits = { int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767] };

function encode(tensors, values) {
  const bytes = new Uint8Array(tensors.reduce((sum, tensor) => sum + tensor.bytes, 0));
  let at = 0;
  tensors.forEach(({ type, quantization, bytes: length }, k) => {
    const view = new DataView(bytes.buffer, at, length);
    const [set, width] = setters[type];
    const [low, high] = limits[type] ?? [-Infinity, Infinity];
    values[k].forEach((value, i) => {
      const stored =
        quantization === null
          ? value
          : Math.min(high, Math.max(low, Math.round(value / quantization.scale) + quantization.zeroPoint));
      view[set](i * width, stored, true);
    });
    at += length;
  });
  return bytes;
}

function decode(tensors, bytes) {
  let at = 0;
  return tensors.map(({ type, quantization, bytes: length }) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, length);
    const [get, width] = getters[type];
    at += length;
    return Float64Array.from({ length: length / width }, (_, i) => {
      const stored = view[get](i * width, true);
      return quantization === null ? stored : (stored - quantization.zeroPoint) * quantization.scale;
    });
  });
}

const argMax = (values) => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

/**
 * Against the float model: dB over all outputs, and the share of samples whose largest output is the same (equal
 * outputs where they are truth values).
 */
function compare(float, model, samples) {
  const [reference, interpreter] = [new Interpreter(float), new Interpreter(model)];
  let [signal, noise, agreed] = [0, 0, 0];
  for (const sample of samples) {
    const expected = decode(reference.outputs, reference.run(encode(reference.inputs, sample)));
    const actual = decode(interpreter.outputs, interpreter.run(encode(interpreter.inputs, sample)));
    for (const [k, values] of expected.entries()) {
      for (const [i, value] of values.entries()) {
        signal += value ** 2;
        noise += (value - actual[k][i]) ** 2;
      }
    }
    if (argMax(expected[0]) === argMax(actual[0])) agreed += 1;
  }
  return { signalToNoise: 10 * Math.log10(signal / noise), agreement: agreed / samples.length };
}

function datasetOf(samples, interpreter) {
  return {
    name: 'calibration',
    path: '',
    task: 'none',
    metric: null,
    windows: null,
    classes: null,
    signature: null,
    seed: 0,
    inputs: interpreter.inputs.map(({ name, shape }) => ({ name, shape, integers: false })),
    hasLabels: false,
    hasTargets: false,
    count: samples.length,
    samples: async function* (limit = samples.length) {
      for (const [index, inputs] of samples.slice(0, limit).entries())
        yield { index, inputs, label: null, targets: null };
    },
  };
}

function floatModels() {
  const folder = path.join(shared, 'models');
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.tflite') && (names.length === 0 || names.some((name) => file.includes(name))))
    .sort()
    .map((file) => ({ file, bytes: readFileSync(path.join(folder, file)) }))
    .map((entry) => ({ ...entry, model: readModel(entry.bytes) }))
    .filter(({ model }) => schemeOf(model) === 'float32');
}

const work = mkdtempSync(path.join(tmpdir(), 'atoll-accuracy-'));
try {
  const cases = [];
  for (const { file, bytes, model } of floatModels()) {
    let interpreter;
    try {
      interpreter = new Interpreter(model);
    } catch (error) {
      console.log(`${file}: ${error.message}`);
      continue;
    }
    const make = inputsOf(file, interpreter.inputs, shared);
    const [calibration, evaluation] = [
      await make('calibration', calibrationSamples),
      await make('evaluation', evaluationSamples(file)),
    ];
    const name = path.basename(file, '.tflite');
    writeFileSync(path.join(work, `${name}.float.tflite`), bytes);
    writeFileSync(
      path.join(work, `${name}.calibration.bin`),
      Buffer.concat(calibration.map((sample) => encode(interpreter.inputs, sample))),
    );
    cases.push({ name, model, interpreter, calibration, evaluation });
  }
  execFileSync(python, [new URL('converter.py', import.meta.url).pathname, work], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const rows = [];
  for (const { name, model, interpreter, calibration, evaluation } of cases) {
    const row = { name };
    const report = JSON.parse(readFileSync(path.join(work, `${name}.json`), 'utf8'));
    for (const tool of ['google', 'aieq']) {
      const file = path.join(work, `${name}.${tool}.tflite`);
      try {
        row[tool] = existsSync(file) ? compare(model, readModel(readFileSync(file)), evaluation) : report[tool];
      } catch (error) {
        row[tool] = error.message;
      }
    }
    for (const [variant, options] of Object.entries(variants)) {
      const start = performance.now();
      try {
        const result = await quantize(model, [datasetOf(calibration, interpreter)], options);
        row[variant] = {
          ...compare(model, result.model, evaluation),
          seconds: (performance.now() - start) / 1000,
          repairs: result.repairs,
        };
      } catch (error) {
        row[variant] = error.message;
      }
    }
    rows.push(row);
    console.log(line(row));
  }
  summarize(rows);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function line({ name, google, aieq, ...own }) {
  const text = (figures) =>
    typeof figures === 'string'
      ? figures.slice(0, 14).padEnd(15)
      : `${figures.signalToNoise.toFixed(2).padStart(7)} ${(100 * figures.agreement).toFixed(1).padStart(6)}%`;
  const repairs =
    typeof own.best === 'string'
      ? ''
      : own.best.repairs
          .map(
            ({ name: repair, before, after, kept }) =>
              `${repair} ${before.toFixed(1)}>${after.toFixed(1)}${kept ? '' : ' no'}`,
          )
          .join(', ');
  return [
    name.slice(0, 34).padEnd(35),
    text(google),
    text(aieq),
    ...Object.values(own).map(text),
    own.best.seconds?.toFixed(1) ?? '',
    repairs,
  ].join(' | ');
}

function summarize(rows) {
  const both = rows.filter(({ google, best }) => typeof google === 'object' && typeof best === 'object');
  const real = both.filter(({ google }) => Number.isFinite(google.signalToNoise));
  const atLeast = both.filter(({ google, best }) => !(best.signalToNoise < google.signalToNoise));
  const more = real.filter(({ google, best }) => best.signalToNoise >= google.signalToNoise + 1);
  const agree = both.filter(({ google, best }) => best.agreement >= google.agreement);
  console.log(
    `${both.length} models; at least Google's signal to noise on ${atLeast.length}, 1 dB or more above on ` +
      `${more.length}; agreement at least Google's on ${agree.length}`,
  );
}
