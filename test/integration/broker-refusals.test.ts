// What brokers refuse, by every reason code that MQTT has for it: a coded error that says what was refused and why, in
// words of our own.

import { afterEach, describe, expect, test } from 'vitest';
import { hintFor } from '../../src/app/advice/hints.js';
import type { AtollError } from '../../src/base/errors.js';
import { type BrokerConnection, connectToBroker, parseBrokerAddress } from '../../src/devices/mqtt/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { readWholeRegistry } from '../../src/fleet/index.js';
import { type BrokerScript, scriptedBroker } from '../support/scripted-broker.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function brokerWith(script: BrokerScript): Promise<string> {
  const broker = await scriptedBroker(script);
  closers.push(broker.close);
  return broker.uri;
}

async function connectionTo(uri: string): Promise<BrokerConnection> {
  const connection = await connectToBroker(parseBrokerAddress(uri));
  closers.push(() => connection.close());
  return connection;
}

/**
 * Reason codes of MQTT 5, 2.4, by the error that an operator needs: credentials and rights, quotas, what the broker
 * lacks, a broker that is not there.
 */
const kinds: readonly [code: string, reasonCodes: readonly number[]][] = [
  ['BROKER_REFUSED', [128, 129, 130, 131, 133, 134, 135, 138, 140, 143, 144, 145, 153]],
  ['BROKER_QUOTA', [149, 151, 159]],
  ['BROKER_LIMIT', [154, 155, 158, 161, 162]],
  ['BROKER_UNREACHABLE', [136, 137, 156, 157]],
];
const codeOf = (reasonCode: number): string => kinds.find(([, codes]) => codes.includes(reasonCode))?.[0] ?? 'none';
const wordsOfTheClient = /Connection refused|Publish error|Subscribe error|Server|undefined/;

async function failureOf(work: Promise<unknown>): Promise<AtollError> {
  const outcome = await work.then(
    () => null,
    (error: AtollError) => error,
  );
  expect(outcome).not.toBeNull();
  return outcome as unknown as AtollError;
}

// MQTT 5, 3.2.2.2, but for 132, on which MQTT 3.1.1 is tried.
describe('CONNACK', () => {
  test.each([128, 129, 130, 131, 133, 134, 135, 136, 137, 138, 140, 144, 149, 151, 153, 154, 155, 156, 157, 159])(
    '%d',
    async (connack) => {
      const { code, message } = await failureOf(connectionTo(await brokerWith({ connack })));
      expect(code).toBe(codeOf(connack));
      expect(message).not.toMatch(wordsOfTheClient);
    },
  );

  test.each([2, 3, 4, 5])('%d of MQTT 3.1.1', async (connack) => {
    const { code, message } = await failureOf(connectionTo(`${await brokerWith({ connack })}?version=4`));
    expect(code).toBe(connack === 3 ? 'BROKER_UNREACHABLE' : 'BROKER_REFUSED');
    expect(message).not.toMatch(wordsOfTheClient);
  });

  test('no version of MQTT is accepted', async () => {
    expect(await failureOf(connectionTo(`${await brokerWith({ connack: 132 })}?version=5`))).toMatchObject({
      code: 'BROKER_LIMIT',
    });
    expect(await failureOf(connectionTo(`${await brokerWith({ connack: 1 })}?version=4`))).toMatchObject({
      code: 'BROKER_LIMIT',
    });
  });
});

// MQTT 5, 3.9.3.
describe('SUBACK', () => {
  test.each([128, 131, 135, 143, 145, 151, 158, 161, 162])('%d', async (suback) => {
    const uri = await brokerWith({ suback });
    const connection = await connectionTo(uri);
    const { code, message } = await failureOf(connection.subscribe('t/+', () => undefined));
    expect(code).toBe(codeOf(suback));
    expect(message).toContain('subscribing to t/+: ');
    expect(message).not.toMatch(wordsOfTheClient);
    // Nothing that is built on a subscription waits for it.
    expect((await failureOf(readWholeRegistry(connection, 'plant'))).code).toBe(codeOf(suback));
    expect((await failureOf(openDevice(`${uri}/d1`))).code).toBe(codeOf(suback));
  });

  test('128 of MQTT 3.1.1', async () => {
    const connection = await connectionTo(`${await brokerWith({ suback: 128 })}?version=4`);
    expect(await failureOf(connection.subscribe('t', () => undefined))).toMatchObject({ code: 'BROKER_REFUSED' });
  });
});

// Amazon's broker closes the connection for a filter that it does not allow; others close one by accident.
describe('a broker that closes the connection at a subscription', () => {
  test('once or twice: the request is made again', async () => {
    const connection = await connectionTo(await brokerWith({ closeAtSubscription: 2 }));
    await connection.subscribe('t/+', () => undefined);
    expect(connection.isUnstable).toBe(false);
  }, 30_000);

  test('each time: an error, and the connection is kept', async () => {
    const connection = await connectionTo(await brokerWith({ closeAtSubscription: 3 }));
    const { code, message } = await failureOf(connection.subscribe('t/+', () => undefined));
    expect(code).toBe('BROKER_UNREACHABLE');
    expect(message).toContain('subscribing to t/+: the broker closed the connection at this request, 3 times in a row');
    await connection.publish('t/1', 'x');
  }, 30_000);
});

// MQTT 5, 3.4.2.1.
describe('PUBACK', () => {
  test.each([128, 131, 135, 144, 145, 151, 153])('%d', async (puback) => {
    const connection = await connectionTo(await brokerWith({ puback }));
    const { code, message } = await failureOf(connection.publish('t/1', 'x'));
    expect(code).toBe(codeOf(puback));
    expect(message).toContain('publishing to t/1: ');
    expect(message).not.toMatch(wordsOfTheClient);
    expect((await failureOf(readWholeRegistry(connection, 'plant'))).code).toBe(codeOf(puback));
  });
});

test('hints fit the reason: passwords are not mentioned if a quota is exceeded', async () => {
  const quota = await failureOf((await connectionTo(await brokerWith({ puback: 151 }))).publish('t', 'x'));
  expect(quota.message).toContain('a quota is exceeded');
  expect(hintFor(quota)).not.toMatch(/password/);
  expect(hintFor(await failureOf(connectionTo(await brokerWith({ connack: 134 }))))).toMatch(/password/);
});
