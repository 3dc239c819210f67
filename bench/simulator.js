// Atoll's simulator against LiteRT.js, in turns within one run, one thread; and every operator of each model with its
// GMAC/s.
//
//     npm run bench:simulator -- [--json] [--operators] [MODEL.tflite ...]
//
// Without models: those of the shared folder beside the repository, where there is one, else the digits example. Times
// are medians; what counts is the ratio. LiteRT.js takes no int8 inputs: it then gets the same model with its inputs
// and outputs converted to uint8.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tflite from '../dist/formats/tflite/index.js';
import { Interpreter, profileOperators, readModel, writeModel } from '../dist/index.js';
import { loadLiteRt } from './litert.js';

const { copyModel, create, operatorCodeIndex, schema, TensorType } = tflite;

const root = fileURLToPath(new URL('..', import.meta.url));
const shared = path.join(root, '../shared/models');
const sharedModels = [
  'mlperf-tiny/kws_ref_model.tflite',
  'coral/tf2_mobilenet_v2_1.0_224_ptq.tflite',
  'imagenet/mobilenet_v1_0.25_224_float.tflite',
  'mlperf-tiny/vww_96_int8.tflite',
  'mlperf-tiny/pretrainedResnet_quant.tflite',
  'tflite-micro/person_detect.tflite',
  'mlperf-tiny/ad01_int8.tflite',
];

const { values: options, positionals } = parseArgs({
  options: { json: { type: 'boolean' }, operators: { type: 'boolean' } },
  allowPositionals: true,
});
const models =
  positionals.length > 0
    ? positionals
    : existsSync(shared)
      ? sharedModels.map((file) => path.join(shared, file))
      : [path.join(root, 'examples/digits/digits_float.tflite')];
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** The same model with int8 inputs and outputs converted to uint8 by QUANTIZE. */
function withUint8Io(model) {
  const copy = copyModel(model);
  const [graph] = copy.subgraphs;
  const convert = (index, outward) => {
    const tensor = graph.tensors[index];
    if (tensor.type !== TensorType.INT8) return index;
    const { scale, zeroPoint } = tensor.quantization;
    const quantization = create(schema.QuantizationParameters, {
      scale,
      zeroPoint: BigInt64Array.from(zeroPoint, (zero) => zero + 128n),
    });
    const outer =
      graph.tensors.push(
        create(schema.Tensor, {
          ...tensor,
          name: `${tensor.name}_uint8`,
          type: TensorType.UINT8,
          buffer: 0,
          quantization,
        }),
      ) - 1;
    const [from, to] = outward ? [index, outer] : [outer, index];
    const operator = create(schema.Operator, {
      opcodeIndex: operatorCodeIndex(copy, 'QUANTIZE', 2),
      inputs: Int32Array.of(from),
      outputs: Int32Array.of(to),
      builtinOptions: { kind: 'QuantizeOptions' },
    });
    if (outward) graph.operators.push(operator);
    else graph.operators.unshift(operator);
    return outer;
  };
  graph.inputs = Int32Array.from(graph.inputs, (index) => convert(index, false));
  graph.outputs = Int32Array.from(graph.outputs, (index) => convert(index, true));
  return copy;
}

/** Medians of both sides in ms, measured in turns. */
async function compare(bytes, compile) {
  const model = readModel(bytes);
  const interpreter = new Interpreter(model);
  const sample = Uint8Array.from({ length: interpreter.inputBytes }, (__, i) =>
    interpreter.inputs[0].type === 'float32' ? 0 : (i * 7) & 255,
  );
  const peer = await compile(writeModel(withUint8Io(model)), sample).catch((error) => String(error));
  const ours = [];
  const theirs = [];
  const started = performance.now();
  for (let round = 0; round < 400 && performance.now() - started < 15000; round++) {
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      interpreter.run(sample);
      ours.push(performance.now() - start);
    }
    for (let i = 0; i < 5 && typeof peer !== 'string'; i++) {
      const start = performance.now();
      await peer();
      theirs.push(performance.now() - start);
    }
  }
  const settled = (times) => median(times.slice(Math.floor(times.length / 4)));
  const operators = profileOperators(model, sample, { repeat: 50 });
  const macs = operators.reduce((sum, operator) => sum + operator.macs, 0);
  const atollMs = settled(ours);
  const liteRtMs = typeof peer === 'string' ? null : settled(theirs);
  return {
    atollMs,
    liteRtMs,
    ratio: liteRtMs === null ? null : liteRtMs / atollMs,
    macs,
    gmacPerSecond: macs / atollMs / 1e6,
    operators,
  };
}

const compile = await loadLiteRt();
const results = [];
for (const file of models)
  results.push({ model: path.basename(file), ...(await compare(readFileSync(file), compile)) });
const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`;
if (options.json) console.log(JSON.stringify({ schema: 'atoll/bench-simulator/1', machine, results }, null, 2));
else {
  console.log(machine);
  console.log(
    `${'model'.padEnd(42)} ${'Atoll ms'.padStart(9)} ${'LiteRT.js ms'.padStart(13)} ${'ratio'.padStart(6)} ` +
      `${'GMAC/s'.padStart(7)}`,
  );
  const number = (value, digits) => (value === null ? '-' : value.toFixed(digits));
  for (const { model, atollMs, liteRtMs, ratio, gmacPerSecond, operators } of results) {
    console.log(
      `${model.padEnd(42)} ${number(atollMs, 3).padStart(9)} ${number(liteRtMs, 3).padStart(13)} ` +
        `${number(ratio, 2).padStart(6)} ${number(gmacPerSecond, 1).padStart(7)}`,
    );
    if (!options.operators) continue;
    for (const { index, op, latencyMs, gmacPerSecond: speed } of operators) {
      console.log(
        `  ${String(index).padStart(3)} ${op.padEnd(34)} ${latencyMs.toFixed(4).padStart(12)} ms ` +
          `${speed === null ? '' : `${speed.toFixed(1)} GMAC/s`}`,
      );
    }
  }
}
process.exit(0);
