// Measures what the docs and issues name, in one run on this machine, and prints a table, or JSON with --json.
// Absolute times depend on the machine; nothing asserts them.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as tflite from '../dist/formats/tflite/index.js';
import { Interpreter, readModel, writeModel } from '../dist/index.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const program = path.join(root, 'bin/atoll.js');
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Wall and CPU time of a whole process and its peak memory, medians of several runs. */
async function processFigures(args, runs = 5) {
  const times = [];
  const cpuTimes = [];
  const peaks = [];
  const probe =
    `process.on('exit', () => { const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage(); ` +
    `process.stderr.write('\\n@' + maxRSS + ' ' + (userCPUTime + systemCPUTime)); })`;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    const { stderr } = await run(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(probe)}`, ...args],
      { cwd: root, maxBuffer: 1e8 },
    );
    times.push(performance.now() - start);
    const [peak, cpu] = stderr.split('@').at(-1).split(' ').map(Number);
    peaks.push(peak * 1024);
    cpuTimes.push(cpu / 1000);
  }
  return { ms: median(times), cpuMs: median(cpuTimes), peakBytes: median(peaks) };
}

/** A model of 100 MB: one dense layer with large weights. */
function largeModel() {
  const { create, schema, addBuffer, operatorCodeIndex } = tflite;
  const model = create(schema.Model, { version: 3 });
  model.buffers.push(create(schema.Buffer));
  const tensor = (name, shape, data) =>
    create(schema.Tensor, {
      name,
      shape: Int32Array.from(shape),
      buffer: data === undefined ? 0 : addBuffer(model, new Uint8Array(data.buffer)),
    });
  const options = {
    kind: 'FullyConnectedOptions',
    fusedActivationFunction: 0,
    weightsFormat: 0,
    keepNumDims: false,
    asymmetricQuantizeInputs: false,
    quantizedBiasType: 0,
  };
  model.subgraphs.push(
    create(schema.SubGraph, {
      tensors: [tensor('x', [1, 5000]), tensor('w', [5000, 5000], new Float32Array(25e6)), tensor('y', [1, 5000])],
      operators: [
        create(schema.Operator, {
          opcodeIndex: operatorCodeIndex(model, 'FULLY_CONNECTED', 1),
          inputs: Int32Array.of(0, 1, -1),
          outputs: Int32Array.of(2),
          builtinOptions: options,
        }),
      ],
      inputs: Int32Array.of(0),
      outputs: Int32Array.of(2),
    }),
  );
  return writeModel(model);
}

function speedOf(bytes) {
  const model = readModel(bytes);
  const interpreter = new Interpreter(model);
  const sample = new Uint8Array(interpreter.inputBytes);
  const times = [];
  for (let i = 0; i < 200; i++) {
    const start = performance.now();
    interpreter.run(sample);
    times.push(performance.now() - start);
  }
  return median(times.slice(50));
}

const folder = await mkdtemp(path.join(tmpdir(), 'atoll-bench-'));
const rows = [];
const add = (what, figure, value) => rows.push({ what, figure, value });
try {
  const empty = await processFigures(['-e', '0']);
  add('node -e 0', 'wall ms', empty.ms);
  add('node -e 0', 'peak MiB', empty.peakBytes / 2 ** 20);
  const help = await processFigures([program, '--help']);
  add('atoll --help', 'wall ms', help.ms);
  add('atoll --help', 'CPU / node -e 0', help.cpuMs / empty.cpuMs);
  const large = path.join(folder, 'large.tflite');
  await writeFile(large, largeModel());
  const inspect = await processFigures([program, 'inspect', large, '--json']);
  add('atoll inspect, a model of 100 MB', 'wall ms', inspect.ms);
  add('atoll inspect, a model of 100 MB', 'peak MiB', inspect.peakBytes / 2 ** 20);
  const deploy = await processFigures(
    [
      program,
      'deploy',
      'examples/digits',
      '--target',
      'nano33ble',
      '--device',
      'sim:nano33ble',
      '--output',
      folder,
      '--quiet',
    ],
    3,
  );
  add('atoll deploy examples/digits', 'wall ms', deploy.ms);
  add('atoll deploy examples/digits', 'peak MiB', deploy.peakBytes / 2 ** 20);
  // 1,000 samples of a keyword model where it is at hand, else of the digits.
  const keywords = path.join(root, '../shared/models/mlperf-tiny/kws_ref_model.tflite');
  const thousandOf = existsSync(keywords) ? keywords : path.join(folder, 'digits.int8.tflite');
  const samples = path.join(folder, 'samples.bin');
  await writeFile(
    samples,
    Uint8Array.from(
      { length: 1000 * new Interpreter(readModel(await readFile(thousandOf))).inputBytes },
      (_, i) => (i * 7) & 255,
    ),
  );
  const thousand = await processFigures([
    program,
    'run',
    thousandOf,
    '--input',
    samples,
    '--output',
    path.join(folder, 'outputs.bin'),
    '--quiet',
  ]);
  add(`atoll run, 1,000 samples of ${path.basename(thousandOf)}`, 'CPU / node -e 0', thousand.cpuMs / empty.cpuMs);
  const digits = await readFile(path.join(root, 'examples/digits/digits_float.tflite'));
  add('digits, float, on the simulator', 'ms per inference', speedOf(digits));
  add(
    'digits, int8, on the simulator',
    'ms per inference',
    speedOf(await readFile(path.join(folder, 'digits.int8.tflite'))),
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`;
if (process.argv.includes('--json')) console.log(JSON.stringify({ schema: 'atoll/bench/1', machine, rows }, null, 2));
else {
  console.log(machine);
  for (const { what, figure, value } of rows)
    console.log(`${what.padEnd(52)} ${figure.padEnd(18)} ${value.toFixed(value < 10 ? 3 : 0).padStart(8)}`);
}
