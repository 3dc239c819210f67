// The example fleet at brokers of others: fifty simulated devices and two rollouts, of which the second is taken back.
// The waves are right at each, or a message names what the broker lacks.

import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { sha256Hex } from '../../src/base/hashes.js';
import { buildSlotImage } from '../../src/devices/bundle/index.js';
import { parseBrokerAddress } from '../../src/devices/mqtt/index.js';
import { numberedIds, serveFleet } from '../../src/devices/simulated/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { atoll, jsonOf } from '../support/cli.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { int8Dense } from '../support/models.js';
import { brokerPrograms } from './programs.js';

const folder = temporaryFolder();
const target = await loadTarget('pico');
const bundleOf = (fill: number, inputs: number): Uint8Array => {
  const model = int8Dense(inputs, fill);
  return buildSlotImage(writeModel(model), model, target, { version: `1.${fill}` });
};
// The second is twice as large, and so twice as slow.
const [one, two] = [bundleOf(1, 4000), bundleOf(2, 8000)];
const gates =
  'gates:\n  - { measure: confirmed, atLeast: 90% }\n  - { measure: latency, factor: 1.5, action: roll-back }\n';
writeFiles(folder, {
  'one.bundle': one,
  'two.bundle': two,
  'one.yaml': 'rollout: one\nbundle: one.bundle\nwaves: [2, 30%, 100%]\nexpect: 50\n',
  'two.yaml': `rollout: two\nbundle: two.bundle\nwaves: [2, 30%, 100%]\n${gates}`,
});

/** What these brokers are known to lack. */
const lacking: Readonly<Record<string, RegExp>> = {
  rabbitmq: /does not send retained messages to subscriptions with wildcards/,
};

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe.each(brokerPrograms)('$name', ({ name, missing, start }) => {
  if (missing !== null && process.env.ATOLL_REQUIRE_TOOLS === '1')
    throw new Error(`ATOLL_REQUIRE_TOOLS=1, but there is no ${missing}`);
  test.skipIf(missing !== null)(
    `a fleet of fifty${missing === null ? '' : ` (skipped: no ${missing})`}`,
    async () => {
      const broker = await start();
      closers.push(broker.stop);
      const uri = `${broker.uri}/plant`;
      const served = await serveFleet(parseBrokerAddress(uri), { fleet: 'plant', ids: numberedIds('d-', 50), target });
      closers.push(() => served.close());
      const environment = { ...process.env, ATOLL_STORE: path.join(folder, `${name.replaceAll(' ', '-')}.sqlite`) };
      const rollout = async (...args: string[]) => {
        const result = await atoll(['rollout', ...args, '--json'], { cwd: folder, env: environment });
        return { code: result.code, document: jsonOf(result) as Record<string, unknown> };
      };
      const first = await rollout('start', 'one.yaml', '--fleet', uri);
      const lack = lacking[name];
      if (lack !== undefined) {
        expect(first).toMatchObject({
          code: 4,
          document: { error: { code: 'BROKER_LIMIT', message: expect.stringMatching(lack) } },
        });
        return;
      }
      expect(first).toMatchObject({ code: 0, document: { phase: 'done', devices: 50, counts: { confirmed: 50 } } });
      expect((first.document.waves as { devices: number }[]).map(({ devices }) => devices)).toEqual([2, 13, 35]);
      expect(new Set(served.devices.map(({ running }) => running))).toEqual(new Set([sha256Hex(one)]));
      const second = await rollout('start', 'two.yaml', '--fleet', uri);
      expect(second).toMatchObject({
        code: 1,
        document: { phase: 'stopped', by: 'gate', wave: 1, counts: { waiting: 48, 'rolled-back': 2 } },
      });
      expect(new Set(served.devices.map(({ running }) => running))).toEqual(new Set([sha256Hex(one)]));
      expect(jsonOf(await atoll(['devices', uri, '--json']))).toMatchObject({
        devices: expect.objectContaining({ length: 50 }),
        neverConnected: [],
        unreadable: [],
      });
    },
    180_000,
  );
});
