// Rollouts through proxies that play the brokers which cannot be had here. A wave is never planned from a part of the
// fleet: the waves are right, or an error says that the fleet cannot be read.

import path from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { buildSlotImage } from '../../src/devices/bundle/index.js';
import { connectToBroker, parseBrokerAddress } from '../../src/devices/mqtt/index.js';
import { disconnectText } from '../../src/devices/mqtt/reasons.js';
import { numberedIds, type ServedFleet, serveFleet } from '../../src/devices/simulated/index.js';
import { readWholeRegistry, selectMembers, type WavePlan, wavesOf } from '../../src/fleet/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { type ProxyFaults, proxyTo } from '../support/broker-proxy.js';
import { mosquitto, type TestBroker } from '../support/brokers.js';
import { atoll, jsonOf } from '../support/cli.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { int8Dense } from '../support/models.js';
import { toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const target = await loadTarget('pico');
const count = 50;
const waves: WavePlan = [2, { share: 0.3 }, { share: 1 }];
const select = { tags: {}, ids: null, share: 1 };
const ids = numberedIds('d-', count);
const expected = wavesOf(ids, waves, 'spring');
const withMosquitto = toolTest('mosquitto');

let broker: TestBroker;
let served: ServedFleet;
beforeAll(async () => {
  broker = await mosquitto(folder);
  served = await serveFleet(parseBrokerAddress(`${broker.uri}/plant`), { fleet: 'plant', ids, target });
});
afterAll(async () => {
  await served.close();
  await broker.stop();
});

/** @returns the waves; null where an error says that the fleet cannot be read */
async function wavesThrough(faults: ProxyFaults): Promise<readonly (readonly string[])[] | null> {
  const proxy = await proxyTo(broker.uri, faults);
  const connection = await connectToBroker(parseBrokerAddress(`${proxy.uri}/plant`));
  try {
    const { members } = await readWholeRegistry(connection, 'plant');
    const selected = selectMembers(members, { rollout: 'spring', select }, target.id);
    return wavesOf(
      selected.members.map(({ id }) => id),
      waves,
      'spring',
    );
  } catch (error) {
    expect((error as { code?: string }).code).toMatch(/^BROKER_(LIMIT|REFUSED|UNREACHABLE)$/);
    return null;
  } finally {
    await connection.close();
    await proxy.close();
  }
}

/** Seeds for each way: 500 plans in all. */
const seeds = 100;
const atOnce = 50;
const ways: readonly [name: string, faults: ProxyFaults, mayRefuse: boolean][] = [
  ['in random order, within 50 ms', { spreadMs: 50 }, false],
  ['in random order, within 200 ms', { spreadMs: 200 }, false],
  ['in random order, within 2 s, a fifth twice', { spreadMs: 2000, repeated: 0.2 }, false],
  ['one in a hundred missing', { spreadMs: 50, missing: 0.01 }, true],
  ['one in ten missing', { spreadMs: 50, missing: 0.1 }, true],
];

describe('500 seeded plans: none from a part of the fleet', () => {
  withMosquitto.each(ways)(
    'retained messages %s',
    async (_name, faults, mayRefuse) => {
      let refused = 0;
      for (let seed = 1; seed <= seeds; seed += atOnce) {
        const runs = Array.from({ length: atOnce }, (_, i) => wavesThrough({ ...faults, seed: seed + i }));
        for (const found of await Promise.all(runs)) {
          if (found === null) refused += 1;
          else expect(found).toEqual(expected);
        }
      }
      console.log(`${refused} of ${seeds} readings were refused with an error`);
      if (!mayRefuse) expect(refused).toBe(0);
    },
    600_000,
  );
});

describe('a whole rollout', () => {
  const model = int8Dense(4000, 1);
  const slow = 'concurrency: 5\n';
  withMosquitto.each<[name: string, faults: ProxyFaults]>([
    ['retained messages late and in random order', { spreadMs: 500, repeated: 0.2 }],
    ['receive maximum 1', { receiveMaximum: 1 }],
    ['receive maximum 10', { receiveMaximum: 10 }],
    ['receive maximum 65,535', { receiveMaximum: 65_535 }],
    ['ended three times since a quota was used up', { disconnect: { afterMessages: 15, reasonCode: 151, times: 3 } }],
    [
      'ended three times since too many messages came',
      { disconnect: { afterMessages: 15, reasonCode: 150, times: 3 } },
    ],
    ['ended three times since the broker was busy', { disconnect: { afterMessages: 15, reasonCode: 137, times: 3 } }],
  ])(
    '%s',
    async (name, faults) => {
      const proxy = await proxyTo(broker.uri, faults);
      const key = name.replaceAll(/[^a-z0-9]+/g, '-');
      writeFiles(folder, {
        [`${key}.bundle`]: buildSlotImage(writeModel(model), model, target, { version: key }),
        [`${key}.yaml`]: `rollout: ${key}\nbundle: ${key}.bundle\nwaves: [2, 30%, 100%]\nexpect: 50\n${slow}`,
      });
      const environment = { ...process.env, ATOLL_STORE: path.join(folder, `${key}.sqlite`) };
      const result = await atoll(['rollout', 'start', `${key}.yaml`, '--fleet', `${proxy.uri}/plant`, '--json'], {
        cwd: folder,
        env: environment,
      });
      const document = jsonOf(result) as { waves: { devices: number }[] };
      expect(document).toMatchObject({ phase: 'done', counts: { confirmed: 50 } });
      expect(document.waves.map(({ devices }) => devices)).toEqual([2, 13, 35]);
      if (faults.receiveMaximum !== undefined)
        expect(proxy.counts.maxUnacknowledged).toBeLessThanOrEqual(faults.receiveMaximum);
      if (faults.disconnect !== undefined) {
        expect(proxy.counts.connections).toBeGreaterThan(3);
        const log = (await atoll(['rollout', 'log', key, '--store', environment.ATOLL_STORE])).stdout;
        const reason = disconnectText(faults.disconnect.reasonCode);
        expect(log).toContain(`"kind":"broker","connected":false,"reason":"${reason}"`);
      }
      await proxy.close();
    },
    180_000,
  );

  withMosquitto(
    "another client has the agent's client id: the rollout ends with an error, and the next agent goes on",
    async () => {
      const proxy = await proxyTo(broker.uri, { disconnect: { afterMessages: 30, reasonCode: 142, times: 1 } });
      writeFiles(folder, {
        'taken.bundle': buildSlotImage(writeModel(model), model, target, { version: 'taken' }),
        'taken.yaml': `rollout: taken\nbundle: taken.bundle\nwaves: [2, 30%, 100%]\n${slow}`,
      });
      const environment = { ...process.env, ATOLL_STORE: path.join(folder, 'taken.sqlite') };
      const start = async () =>
        atoll(['rollout', 'start', 'taken.yaml', '--fleet', `${proxy.uri}/plant`, '--json'], {
          cwd: folder,
          env: environment,
        });
      const first = await start();
      expect(first.code).toBe(4);
      expect(jsonOf(first)).toMatchObject({
        error: {
          code: 'BROKER_REFUSED',
          message: expect.stringContaining('another client has connected with the same client id'),
        },
      });
      expect(jsonOf(await start())).toMatchObject({ phase: 'done', counts: { confirmed: 50 } });
      await proxy.close();
    },
    180_000,
  );
});
