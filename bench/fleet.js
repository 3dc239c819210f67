// A fleet of simulated devices at a broker: how long a model takes to reach all of them in five waves, and how many messages and bytes that is.
//   node bench/fleet.js [DEVICES] [embedded|mosquitto]
// The model is MLPerf Tiny's keyword spotter where ATOLL_SHARED has it, else the digits of examples/.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSlotImage } from '../dist/bundle/index.js';
import { publishBundle, wavesOf } from '../dist/fleet/index.js';
import { connectToBroker, fleetTopics, parseBrokerAddress } from '../dist/mqtt/index.js';
import { decodeReported, encodeDesired } from '../dist/protocol/index.js';
import { loadTarget } from '../dist/targets/index.js';
import { readModel } from '../dist/tflite/index.js';

const [devices = 1000, kind = 'embedded'] = [Number(process.argv[2] ?? 1000), process.argv[3]];
const atoll = path.resolve(import.meta.dirname ?? '.', '../bin/atoll.js');
const shared = path.join(process.env.ATOLL_SHARED ?? '../shared', 'models/mlperf-tiny/kws_ref_model.tflite');
const digits = 'examples/digits/build/digits.int8.tflite';
const folder = mkdtempSync(path.join(tmpdir(), 'atoll-fleet-'));
const children = [];
const seconds = (from) => ((performance.now() - from) / 1000).toFixed(1);

/** A program that tells by a line of JSON that it is ready. */
function started(...args) {
  const child = spawn(process.execPath, [atoll, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return new Promise((resolve) => {
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
      if (said.includes('\n}')) resolve(JSON.parse(said));
    });
  });
}

async function mosquitto() {
  const port = 20_000 + (process.pid % 10_000);
  const config = path.join(folder, 'mosquitto.conf');
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\n${process.getuid?.() === 0 ? 'user root\n' : ''}`);
  children.push(spawn(existsSync('/usr/sbin/mosquitto') ? '/usr/sbin/mosquitto' : 'mosquitto', ['-c', config], { stdio: 'ignore' }));
  await new Promise((resolve) => setTimeout(resolve, 500));
  return `mqtt://127.0.0.1:${port}`;
}

try {
  const target = await loadTarget('nano33ble');
  const file = existsSync(shared) ? shared : digits;
  const bytes = new Uint8Array(readFileSync(file));
  const image = buildSlotImage(bytes, readModel(bytes, file), target);
  const broker = kind === 'mosquitto' ? await mosquitto() : (await started('broker', '--port', '0')).uri;
  const begun = performance.now();
  await started('simulate-device', '--target', target.id, '--listen', `${broker}/bench`, '--count', String(devices));
  console.log(`${kind}: ${devices} devices connected in ${seconds(begun)} s`);
  const agent = await connectToBroker(parseBrokerAddress(broker));
  const topics = fleetTopics('bench');
  const last = new Map();
  let reports = 0;
  await agent.subscribe(topics.allReported(), ({ topic, payload }) => {
    const report = decodeReported(payload);
    const id = topic.split('/').at(-1);
    if (report.seq > (last.get(id)?.seq ?? 0)) last.set(id, report);
    if (report.state !== 'idle') reports += 1;
  });
  while (last.size < devices) await new Promise((resolve) => setTimeout(resolve, 100));
  const rollout = performance.now();
  const { sha, publishedBytes, blockBytes, blocks } = await publishBundle(agent, 'bench', image);
  const desired = encodeDesired({ rollout: 'bench', sha, len: image.byteLength, block: blockBytes, seed: 7 });
  const rows = [];
  for (const wave of wavesOf([...last.keys()], [{ share: 0.01 }, { share: 0.1 }, { share: 0.3 }, { share: 0.6 }], 'bench')) {
    const from = performance.now();
    for (let at = 0; at < wave.length; at += 100) {
      await Promise.all(wave.slice(at, at + 100).map((id) => agent.publish(topics.desired(id), desired, { retain: true })));
    }
    while (!wave.every((id) => last.get(id).state === 'confirmed')) await new Promise((resolve) => setTimeout(resolve, 100));
    rows.push({ devices: wave.length, 'took s': seconds(from) });
  }
  const total = Math.round(seconds(rollout));
  console.table(rows);
  const published = publishedBytes + devices * desired.byteLength;
  console.log(`${path.basename(file)}, ${image.byteLength} bytes: all ${devices} confirmed after ${total} s; the agent published ${published} bytes`);
  console.log(
    `(${publishedBytes} of ${blocks} blocks once, ${desired.byteLength} for each device), heard ${reports} reports, and has ${Math.round(process.memoryUsage().rss / 1e6)} MB`,
  );
  await agent.close();
} finally {
  for (const child of children) child.kill('SIGINT');
  rmSync(folder, { recursive: true, force: true });
}
