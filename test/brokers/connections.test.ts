// Connections that brokers end repeatedly: what is reported, and that two devices of one name do not storm a broker.

import { afterEach, expect, test } from 'vitest';
import { connectToBroker, parseBrokerAddress } from '../../src/devices/mqtt/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { serveFleet } from '../../src/devices/simulated/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { mosquitto } from '../support/brokers.js';
import { temporaryFolder } from '../support/files.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { toolTest } from '../support/tools.js';

const target = await loadTarget('pico');
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

toolTest('mosquitto').each([5, 4])(
  'a device that is started twice, MQTT version %d',
  async (version) => {
    const broker = await mosquitto(temporaryFolder());
    closers.push(broker.stop);
    const uri = `${broker.uri}/plant/twin?version=${version}`;
    const troubles: string[] = [];
    const serveTwin = () =>
      serveFleet(parseBrokerAddress(uri), {
        fleet: 'plant',
        ids: ['twin'],
        target,
        onTrouble: (text) => troubles.push(text),
      });
    const [first, second] = [await serveTwin(), await serveTwin()];
    // mosquitto does not tell, not even with MQTT 5: both come back, ever more slowly, and say what it may be.
    await expect
      .poll(() => troubles, { timeout: 40_000 })
      .toContainEqual(expect.stringContaining('another client may have the same client id'));
    // The device answers, although its connection comes and goes.
    const described = async () => {
      const client = await openDevice(`${broker.uri}/plant/twin`, { retries: { timeoutMs: 1000, attempts: 3 } });
      return client.describe().finally(() => client.close());
    };
    await expect
      .poll(() => described().catch(() => null), { timeout: 40_000, interval: 500 })
      .toMatchObject({ target: target.id });
    await second.close();
    await first.close();
  },
  100_000,
);

test('a broker that ends every connection with a reason: the error has that reason', async () => {
  // It ends every connection, and says why.
  const quota = await scriptedBroker({ disconnect: { afterMs: 50, reasonCode: 151 } });
  closers.push(quota.close);
  const connection = await connectToBroker(parseBrokerAddress(quota.uri));
  closers.push(() => connection.close());
  await expect.poll(() => quota.counts.connections, { timeout: 50_000 }).toBeGreaterThanOrEqual(4);
  expect(connection.trouble?.reason).toBe('a quota is exceeded');
}, 60_000);
