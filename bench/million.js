// A rollout to a million devices in virtual time: the agent, its engine and the devices are the real ones, time and
// broker are not. A device takes memory only while it is under way, as everywhere else it takes none of the agent's
// machine.
//   node --expose-gc bench/million.js [DEVICES]

import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { buildSlotImage } from '../dist/devices/bundle/index.js';
import { fleetTopics, presence } from '../dist/devices/mqtt/index.js';
import { encodeReported } from '../dist/devices/protocol/index.js';
import { FleetDevice, ImageStore, VirtualBroker, VirtualTime } from '../dist/devices/simulated/index.js';
import { beginRollout, leadRollout, openStore, readRegistry, summarize } from '../dist/fleet/index.js';
import { readModel } from '../dist/formats/tflite/index.js';
import { loadTarget } from '../dist/targets/index.js';
import { benchPlan, counted, expectedBytes, fleetModel } from './fleet-plan.js';

const devices = Number(process.argv[2] ?? 1_000_000);
const mebibytes = () => Math.round(process.memoryUsage().rss / 2 ** 20);
const seconds = (from) => ((performance.now() - from) / 1000).toFixed(1);
const target = await loadTarget('nano33ble');
const file = fleetModel();
const bytes = new Uint8Array(readFileSync(file));
const image = buildSlotImage(bytes, readModel(bytes, file), target);

const time = new VirtualTime();
const virtual = new VirtualBroker(time);
const topics = fleetTopics('v');
const images = new ImageStore(target, []);
const idOf = (i) => `d${String(i).padStart(7, '0')}`;

/** A device that is told something wakes up, and sleeps again when it has said how it ended. */
let awake = 0;
let mostAwake = 0;
virtual.onUnheard = (topic, payload) => {
  const id = topic.split('/')[3];
  if (!topic.endsWith('/desired') || payload.byteLength === 0) return;
  mostAwake = Math.max(mostAwake, ++awake);
  const session = virtual.connect(false);
  const device = new FleetDevice(
    id,
    'v',
    target,
    {
      subscribe: (filter) => session.listen(filter, (message) => device.received(message.topic, message.payload)),
      unsubscribe: (filter) => void session.unsubscribe(filter),
      publish: (to, report, retain) => session.send(to, report, retain),
      now: () => time.now(),
      later: (ms, callback) => time.later(ms, callback),
      wake: () => time.wake(),
    },
    images,
    { seed: Number(id.slice(1)) },
  );
  device.onSettled = () => {
    device.stop();
    session.close();
    awake -= 1;
  };
  device.connected();
};

const building = performance.now();
const idle = encodeReported({ seq: 1, target: target.id, state: 'idle' });
const online = new TextEncoder().encode(presence.online);
for (let i = 0; i < devices; i++) {
  virtual.publish(topics.alive(idOf(i)), online, true, true);
  virtual.publish(topics.reported(idOf(i)), idle, true, true);
}
console.log(
  `${devices} devices have reported after ${seconds(building)} s: ${mebibytes()} MiB, of which the broker's ` +
    'are the most',
);

const store = await openStore(':memory:');
const { broker, counts } = counted(virtual.connect(true));
const clock = {
  wall: () => time.now(),
  elapsed: () => time.now(),
  later: (ms, callback) => time.laterAwaited(ms, callback),
};
const plan = benchPlan(devices, { concurrency: 20_000, blockBytes: 32_768 });

/** Waits for what happens in virtual time. */
async function until(work) {
  let outcome = null;
  work.then(
    (value) => {
      outcome = { value };
    },
    (error) => {
      outcome = { error };
    },
  );
  await time.until(() => outcome !== null);
  if (outcome?.error !== undefined) throw outcome.error;
  return outcome.value;
}

const beginning = performance.now();
const row = await until(
  beginRollout(
    store,
    { plan, image, previousImage: null, fleet: 'v', uri: virtual.uri },
    () => readRegistry(broker, 'v', { clock }),
    { now: time.now() },
  ),
);
console.log(`read and written down in ${seconds(beginning)} s: ${mebibytes()} MiB`);
counts.reset();
const rows = [];
let wave = null;
const close = () => {
  if (wave === null) return;
  const ms = performance.now() - wave.from;
  rows.push({
    devices: wave.devices,
    'took s': (ms / 1000).toFixed(1),
    'µs for each device': Math.round((1000 * ms) / wave.devices),
    'memory MiB': mebibytes(),
  });
};
const leading = performance.now();
const began = time.now();
await until(
  leadRollout(store, broker, 'v', row.no, {
    clock,
    onEvent: (event) => {
      if (event.kind !== 'wave') return;
      close();
      wave = { devices: event.devices, from: performance.now() };
    },
  }),
);
close();
const summary = await summarize(store, await store.rollout(row.no), time.now());
console.table(rows);
const { blocks, perDevice } = expectedBytes(image, plan);
console.log(
  `${summary.counts.confirmed} of ${devices} confirmed in ${seconds(leading)} s, ` +
    `${((time.now() - began) / 1000).toFixed(0)} s of their own time`,
);
console.log(
  `at most ${mostAwake} were under way at once; the agent published ${counts.bytes} bytes (${blocks} of ` +
    `blocks, up to ${perDevice} for each device)`,
);
// What is left without the broker is what the agent must remember: records of devices, in its memory and in the
// store's.
virtual.forgetRetained();
for (let i = 0; i < 3; i++) {
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const { heapUsed, arrayBuffers } = process.memoryUsage();
console.log(
  `without the broker ${Math.round((heapUsed + arrayBuffers) / devices)} bytes of heap for each device, in all ` +
    `${Math.round(heapUsed / 2 ** 20)} MiB`,
);
if (summary.counts.confirmed !== devices) process.exitCode = 1;
await store.close();
