// What the driver itself costs beside the accelerator: time of an inference less the time in which the emulated device
// works, which is in this process. It is asked the same sample again and again, which it answers from memory: what
// computes in between would empty the processor's caches, as a real device does not.
//   npm run build && node bench/accelerator.js [MODEL_edgetpu.tflite] [RUNS]
// The uncompiled model lies beside the compiled one. Unless given: MobileNet V1 0.25 of the shared models.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AcceleratedModel, attachAccelerator, EmulatedAccelerator } from '../dist/devices/accelerator/index.js';
import { readModel } from '../dist/formats/tflite/index.js';

const shared = path.join(
  process.env.ATOLL_SHARED ?? '../shared',
  'models/coral/mobilenet_v1_0.25_128_quant_edgetpu.tflite',
);
const [file = shared, runs = '2000'] = process.argv.slice(2);
const load = (name) => readModel(new Uint8Array(readFileSync(name)), name);
const compiled = load(file);
const emulated = new EmulatedAccelerator({
  models: [{ compiled, uncompiled: load(file.replace('_edgetpu.tflite', '.tflite')) }],
});
const { chip } = emulated;

/** Time in which the device takes what is sent to it: there it computes as well. */
let deviceMs = 0;
const out = chip.out.bind(chip);
chip.out = (endpoint, data) => {
  const start = performance.now();
  const taken = out(endpoint, data);
  deviceMs += performance.now() - start;
  return taken;
};

const accelerator = await attachAccelerator('emulated', { devices: emulated.devices, settleMs: 0 });
const model = new AcceleratedModel(compiled, file);
const sample = Uint8Array.from({ length: model.inputBytes }, (_, i) => (i * 31) & 255);
for (let i = 0; i < 300; i++) await model.run(accelerator, sample);
const overheads = [];
for (let i = 0; i < Number(runs); i++) {
  deviceMs = 0;
  const start = performance.now();
  await model.run(accelerator, sample);
  overheads.push(performance.now() - start - deviceMs);
}
await accelerator.close();
overheads.sort((a, b) => a - b);
const at = (share) => overheads[Math.floor(share * (overheads.length - 1))].toFixed(3);
console.log(
  `${path.basename(file)}: driver ${at(0.5)} ms median, ${at(0.95)} ms p95, ${at(0)} ms at least, of ` +
    `${overheads.length} inferences (${process.version})`,
);
