// What the benchmarks of fleets have in common: the model, the plan, and a broker whose messages are counted.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { sha256 } from '../dist/base/hashes.js';
import { compressedBlocks } from '../dist/devices/bundle/index.js';
import { encodeDesired } from '../dist/devices/protocol/index.js';

/** MLPerf Tiny's keyword spotter, or the digits where the shared folder is absent. */
export function fleetModel() {
  const shared = path.join(process.env.ATOLL_SHARED ?? '../shared', 'models/mlperf-tiny/kws_ref_model.tflite');
  return existsSync(shared) ? shared : 'examples/digits/build/digits.int8.tflite';
}

/** Five waves; everybody may be under way at once. */
export function benchPlan(devices, changes = {}) {
  const minutes = (count) => 60_000 * count;
  return {
    rollout: 'bench',
    bundle: 'bench.bundle',
    previous: null,
    select: { tags: {}, ids: null, share: 1 },
    expect: null,
    waves: [{ share: 0.01 }, { share: 0.1 }, { share: 0.3 }, { share: 0.6 }, { share: 1 }],
    gates: [{ measure: 'confirmed', maxBad: 0.01, minimum: 1, confidence: 0.95, action: 'pause' }],
    deadlines: { notified: minutes(60), downloading: minutes(60), verified: minutes(60), pending: minutes(60) },
    concurrency: devices,
    bytesPerSecond: null,
    window: null,
    notAfter: null,
    blockBytes: 1024,
    source: 'retained',
    ...changes,
  };
}

/** Bytes of the blocks, once, and of what each device is told. */
export function expectedBytes(image, { rollout, blockBytes }) {
  const blocks = compressedBlocks(image, blockBytes).reduce((sum, block) => sum + block.byteLength, 0);
  const perDevice = encodeDesired({
    rollout,
    attempt: 1,
    sha: sha256(image),
    len: image.byteLength,
    block: blockBytes,
    seed: 0xffffffff,
  }).byteLength;
  return { blocks, perDevice };
}

/** A broker that counts what its agent publishes and hears. */
export function counted(broker) {
  const counts = {
    published: 0,
    bytes: 0,
    heard: 0,
    reset: () => Object.assign(counts, { published: 0, bytes: 0, heard: 0 }),
  };
  const counting = {
    uri: broker.uri,
    publish: (topic, payload, options) => {
      counts.published += 1;
      counts.bytes += Buffer.byteLength(payload);
      return broker.publish(topic, payload, options);
    },
    subscribe: (filters, handle, options) =>
      broker.subscribe(
        filters,
        (message) => {
          counts.heard += 1;
          handle(message);
        },
        options,
      ),
    unsubscribe: (filters) => broker.unsubscribe(filters),
    get onChange() {
      return broker.onChange;
    },
    set onChange(listener) {
      broker.onChange = listener;
    },
  };
  return { broker: counting, counts };
}
