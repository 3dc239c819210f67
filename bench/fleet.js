// A fleet of simulated devices at a broker: how long a rollout takes to reach all of them in five waves, and how many
// messages and bytes that is.
//   node bench/fleet.js [DEVICES] [embedded|mosquitto]
// The model is MLPerf Tiny's keyword spotter where ATOLL_SHARED has it, else the digits of examples/. Broker and
// devices are processes of their own; the agent is this one, with its store on disk.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSlotImage } from '../dist/devices/bundle/index.js';
import { connectToBroker, parseBrokerAddress } from '../dist/devices/mqtt/index.js';
import { beginRollout, leadRollout, openStore, readRegistry, summarize } from '../dist/fleet/index.js';
import { readModel } from '../dist/formats/tflite/index.js';
import { loadTarget } from '../dist/targets/index.js';
import { benchPlan, counted, expectedBytes, fleetModel } from './fleet-plan.js';

const [devices, kind = 'embedded'] = [Number(process.argv[2] ?? 1000), process.argv[3]];
const atoll = path.resolve(import.meta.dirname ?? '.', '../bin/atoll.js');
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
  writeFileSync(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\n${process.getuid?.() === 0 ? 'user root\n' : ''}`,
  );
  children.push(
    spawn(existsSync('/usr/sbin/mosquitto') ? '/usr/sbin/mosquitto' : 'mosquitto', ['-c', config], { stdio: 'ignore' }),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  return `mqtt://127.0.0.1:${port}`;
}

try {
  const target = await loadTarget('nano33ble');
  const file = fleetModel();
  const bytes = new Uint8Array(readFileSync(file));
  const image = buildSlotImage(bytes, readModel(bytes, file), target);
  const uri = kind === 'mosquitto' ? await mosquitto() : (await started('broker', '--port', '0')).uri;
  const connecting = performance.now();
  await started('simulate-device', '--target', target.id, '--listen', `${uri}/bench`, '--count', String(devices));
  console.log(`${kind}: ${devices} devices connected in ${seconds(connecting)} s`);

  const connection = await connectToBroker(parseBrokerAddress(uri));
  const { broker, counts } = counted(connection);
  const store = await openStore(path.join(folder, 'rollouts.sqlite'));
  const plan = benchPlan(devices);
  const reading = performance.now();
  const beginning = { plan, image, previousImage: null, fleet: 'bench', uri };
  const row = await beginRollout(store, beginning, async () => {
    for (;;) {
      const registry = await readRegistry(broker, 'bench');
      if (registry.members.length === devices) return registry;
    }
  });
  console.log(`the fleet was read and the rollout written down in ${seconds(reading)} s`);
  counts.reset();
  const leading = performance.now();
  let largest = 0;
  const waves = [];
  await leadRollout(store, broker, 'bench', row.no, {
    onChange: () => {
      largest = Math.max(largest, process.memoryUsage().rss);
    },
    onEvent: (event) => {
      if (event.kind === 'wave') waves.push({ devices: event.devices, from: performance.now() });
    },
  });
  const took = seconds(leading);
  const summary = await summarize(store, await store.rollout(row.no));
  console.table(
    waves.map(({ devices: count, from }, i) => ({
      devices: count,
      'took s': (((waves[i + 1]?.from ?? performance.now()) - from) / 1000).toFixed(1),
    })),
  );
  const { blocks, perDevice } = expectedBytes(image, plan);
  const expected = blocks + devices * perDevice;
  console.log(
    `${path.basename(file)}, ${image.byteLength} bytes: ${summary.counts.confirmed} of ${devices} confirmed ` +
      `after ${took} s`,
  );
  console.log(
    `the agent published ${counts.bytes} bytes in ${counts.published} messages: ` +
      `${(100 * (counts.bytes / expected - 1)).toFixed(2)} % more than ${blocks} of blocks once and ${perDevice} ` +
      'for each device',
  );
  console.log(`it heard ${counts.heard} messages, and took ${Math.round(largest / 2 ** 20)} MiB of memory at most`);
  await store.close();
  await connection.close();
} finally {
  for (const child of children) child.kill('SIGINT');
  rmSync(folder, { recursive: true, force: true });
}
