// Times `atoll quantize` of a float model with 100 samples as a whole process, against the same conversion by
// TensorFlow in one Python process. Interleaved, medians.
//
//   node bench/accuracy/speed.js V/bin/python [model.tflite]
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Interpreter, readModel } from '../../dist/index.js';
import { inputsOf } from './inputs.js';

const shared = process.env.ATOLL_SHARED ?? '../shared';
const [python, model = path.join(shared, 'models/imagenet/mobilenet_v1_0.25_224_float.tflite')] = process.argv.slice(2);
const rounds = 5;
const program = fileURLToPath(new URL('../../bin/atoll.js', import.meta.url));
const probe = `process.on('exit', () => process.stderr.write('\\n@' + process.resourceUsage().maxRSS));`;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const work = mkdtempSync(path.join(tmpdir(), 'atoll-speed-'));
try {
  const interpreter = new Interpreter(readModel(readFileSync(model)));
  const [{ shape }] = interpreter.inputs;
  const samples = await inputsOf(model, interpreter.inputs, shared)('calibration', 100);
  const bytes = Buffer.concat(
    samples.map(([values]) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
  );
  mkdirSync(path.join(work, 'google'));
  writeFileSync(path.join(work, 'google', 'm.float.tflite'), readFileSync(model));
  writeFileSync(path.join(work, 'google', 'm.calibration.bin'), bytes);
  writeFileSync(path.join(work, 'data.bin'), bytes);
  writeFileSync(
    path.join(work, 'data.yaml'),
    `name: speed\ntask: none\ninputs:\n  - {files: data.bin, type: float32, shape: [${shape.slice(1).join(', ')}]}\n`,
  );
  const ours = [];
  const theirs = [];
  let peak = 0;
  const timed = (times, run) => {
    const start = performance.now();
    const result = run();
    times.push((performance.now() - start) / 1000);
    return result;
  };
  for (let round = 0; round < rounds; round++) {
    timed(theirs, () =>
      execFileSync(
        python,
        [fileURLToPath(new URL('converter.py', import.meta.url)), path.join(work, 'google'), 'google'],
        { stdio: 'ignore' },
      ),
    );
    const options = ['--import', `data:text/javascript,${encodeURIComponent(probe)}`];
    const args = ['quantize', model, '--calibrate', path.join(work, 'data.yaml'), '-o', path.join(work, 'out.tflite')];
    const shell = `"$@" 2>&1 >/dev/null`;
    const text = timed(ours, () =>
      execFileSync('sh', ['-c', shell, 'sh', process.execPath, ...options, program, ...args], { encoding: 'utf8' }),
    );
    peak = Math.max(peak, Number(text.split('@').at(-1)) / 1024);
  }
  console.log(`${path.basename(model)}, 100 samples, whole process, medians of ${rounds}`);
  console.log(
    `TensorFlow ${median(theirs).toFixed(2)} s, atoll ${median(ours).toFixed(2)} s: ` +
      `${(median(ours) / median(theirs)).toFixed(2)} of its time; peak ${peak.toFixed(0)} MiB`,
  );
} finally {
  rmSync(work, { recursive: true, force: true });
}
