// A thousand devices at a broker, in a process of their own, under its default settings: everybody is reached, and the
// model is published once.

import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/hashes.js';
import { buildSlotImage, compressedBlocks } from '../../src/devices/bundle/index.js';
import { connectToBroker, parseBrokerAddress } from '../../src/devices/mqtt/index.js';
import { encodeDesired } from '../../src/devices/protocol/index.js';
import {
  beginRollout,
  type FleetBroker,
  leadRollout,
  openStore,
  readRegistry,
  summarize,
} from '../../src/fleet/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { embeddedBroker, mosquitto, type TestBroker } from '../support/brokers.js';
import { simulateDevice } from '../support/device-process.js';
import { temporaryFolder } from '../support/files.js';
import { int8Dense } from '../support/models.js';
import { toolTest } from '../support/tools.js';
import { examplePlan } from '../support/virtual-fleet.js';

const folder = temporaryFolder();
const target = await loadTarget('nano33ble');
const count = 1000;

const brokers: readonly [name: string, run: typeof test, start: () => Promise<TestBroker>][] = [
  ['our own broker', test, () => embeddedBroker()],
  ['mosquitto', toolTest('mosquitto') as typeof test, () => mosquitto(folder)],
];

describe.each(brokers)('at %s', (name, run, start) => {
  run(
    'a thousand devices in five waves',
    async () => {
      const { uri, stop } = await start();
      const devices = await simulateDevice('--target', target.id, '--listen', `${uri}/k`, '--count', String(count));
      const agent = await connectToBroker(parseBrokerAddress(uri));
      let bytes = 0;
      const broker: FleetBroker = Object.assign(Object.create(agent) as FleetBroker, {
        publish: (...args: Parameters<FleetBroker['publish']>) => {
          bytes += Buffer.byteLength(args[1]);
          return agent.publish(...args);
        },
      });
      const store = await openStore(path.join(folder, `${name.replaceAll(' ', '-')}.sqlite`));
      const model = int8Dense(5400, 1);
      const image = buildSlotImage(writeModel(model), model, target);
      const gates = [{ measure: 'confirmed', maxBad: 0.01, minimum: 1, confidence: 0.95, action: 'pause' }] as const;
      const waves = [0.01, 0.1, 0.3, 0.6, 1].map((share) => ({ share }));
      const plan = { ...examplePlan, rollout: 'k', gates, waves, concurrency: count };
      const row = await beginRollout(store, { plan, image, previousImage: null, fleet: 'k', uri }, async () => {
        for (;;) {
          const registry = await readRegistry(agent, 'k');
          if (registry.members.length === count) return registry;
        }
      });
      bytes = 0;
      const summary = await summarize(store, await leadRollout(store, broker, 'k', row.no));
      expect(summary).toMatchObject({ phase: 'done', wave: 5, counts: { confirmed: count } });
      const blocks = compressedBlocks(image, 1024).reduce((sum, block) => sum + block.byteLength, 0);
      const desired = encodeDesired({
        rollout: 'k',
        attempt: 1,
        sha: sha256(image),
        len: image.byteLength,
        block: 1024,
        seed: 0xffffffff,
      });
      expect(bytes / (blocks + count * desired.byteLength)).toBeLessThan(1.01);
      await store.close();
      await agent.close();
      await devices.stop();
      await stop();
    },
    180_000,
  );
});
