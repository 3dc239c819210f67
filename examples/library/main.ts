// Uses the library: quantizes a float model, checks it against a target, pushes it to a simulated device, and evaluates
// it on the host and on the device. Run: node main.js MODEL.tflite

import { readFile } from 'node:fs/promises';
import {
  AtollError,
  buildSlotImage,
  checkModel,
  compare,
  createKeys,
  type Dataset,
  evaluate,
  hintFor,
  hostRunner,
  loadTarget,
  type MemorySample,
  memoryDataset,
  openDevice,
  push,
  quantize,
  readModel,
  readPrivateKey,
  readPublicKey,
} from 'atoll-agent';

/** Images of a diagonal line, brighter for higher classes: stand-ins for your own data. */
function makeSamples(count: number): Dataset {
  const samples = Array.from({ length: count }, (_, i): MemorySample => {
    const label = i % 10;
    const image = Float32Array.from({ length: 28 * 28 }, (_pixel, at) =>
      Math.floor(at / 28) === at % 28 ? (label + 1) / 10 : 0,
    );
    return { inputs: [image], label };
  });
  return memoryDataset({ name: 'lines', shapes: [[28, 28, 1]], samples });
}

async function main(file: string): Promise<void> {
  const float = readModel(await readFile(file), file);
  const data = makeSamples(100);
  const target = await loadTarget('nano33ble');

  const { bytes, model, warnings } = await quantize(float, [data], {
    onProgress: ({ step, done, total }) => console.log(`${step}: ${done} of ${total}`),
  });
  for (const { code, message } of warnings) console.log(`${code}: ${message}`);

  const { fits, latencyMs, memory, reasons } = checkModel(model, target, bytes.byteLength);
  console.log(`fits: ${fits}, arena ${memory.arenaBytes} bytes, about ${latencyMs?.value.toFixed(1)} ms`);
  for (const { code, message } of reasons) console.log(`${code}: ${message}`);

  const { agreement, signalToNoise } = await compare(float, model, data, { limit: 20 });
  console.log(`same class as the float model: ${agreement}, SNR ${signalToNoise?.toFixed(1)} dB`);

  const keys = createKeys('ed25519');
  const signingKey = readPrivateKey(keys.privateKey, 'private key');
  const image = buildSlotImage(bytes, model, target, { version: '1.0', key: signingKey });
  const device = await openDevice('sim:nano33ble', {
    simulated: { keys: [readPublicKey(keys.publicKey, 'public key')] },
  });
  try {
    const pushed = await push(device, image);
    console.log(`${pushed.state}, self-test ${pushed.selfTest?.failed} of ${pushed.selfTest?.vectors} failed`);
    const onHost = await evaluate(hostRunner(model), data);
    const onDevice = await evaluate(await device.runner(model, pushed.model), data);
    console.log(`${onHost.metric}: ${onHost.value} on the host, ${onDevice.value} on the device`);
    console.log(`latency on the device: ${onDevice.latencyMs.median.toFixed(1)} ms (${onDevice.latencyMs.basis})`);
    if (onHost.value !== onDevice.value) throw new Error('host and device differ');
  } finally {
    await device.close();
  }
}

main(process.argv[2] ?? 'model.tflite').catch((error: unknown) => {
  if (!(error instanceof AtollError)) throw error;
  console.error(`${error.code}: ${error.message}\n${hintFor(error)}`);
  process.exitCode = error.exitCode;
});
