import { describe, expect, test } from 'vitest';
import { fleetTopics, matchesFilter, parseBrokerAddress, shardOf } from '../../../src/devices/mqtt/index.js';

describe('addresses of brokers', () => {
  test('all that one can say', () => {
    expect(
      parseBrokerAddress(
        'mqtts://agent:p%40ss@broker.example:9000/plant-1/press_7' +
          '?ca=ca.pem&cert=a.crt&key=a.key&version=4&session=keep&keepalive=60',
        {},
      ),
    ).toEqual({
      uri:
        'mqtts://agent:***@broker.example:9000/plant-1/press_7' +
        '?ca=ca.pem&cert=a.crt&key=a.key&version=4&session=keep&keepalive=60',
      url: 'mqtts://broker.example:9000',
      tls: true,
      username: 'agent',
      password: 'p@ss',
      fleet: 'plant-1',
      device: 'press_7',
      ca: 'ca.pem',
      cert: 'a.crt',
      key: 'a.key',
      version: 4,
      keepsSession: true,
      keepaliveSeconds: 60,
    });
  });

  test('omissions', () => {
    const environment = { ATOLL_MQTT_USERNAME: 'me', ATOLL_MQTT_PASSWORD: 'secret' };
    expect(parseBrokerAddress('mqtt://[::1]', environment)).toMatchObject({
      url: 'mqtt://[::1]:1883',
      username: 'me',
      password: 'secret',
      fleet: null,
      version: null,
      keepsSession: false,
      keepaliveSeconds: 30,
    });
    expect(parseBrokerAddress('mqtts://h/f', {})).toMatchObject({
      url: 'mqtts://h:8883',
      username: null,
      fleet: 'f',
      device: null,
    });
  });

  test.each([
    ['mqtt://', 'mqtt:'],
    ['mqtt://h/f/d/more', 'up to 64'],
    ['mqtt://h/f/+', 'up to 64'],
    ['mqtt://h/%23/d', 'up to 64'],
    ['mqtt://h/f/d?tls=1', 'unknown option tls'],
    ['mqtt://h/f/d?version=3', 'version=3'],
    ['mqtt://h/f/d?cert=a', 'must both be given'],
    ['http://h/f/d', 'does not start with mqtt://HOST'],
  ])('%s is refused', (uri, reason) => {
    expect(() => parseBrokerAddress(uri, {})).toThrow(
      expect.objectContaining({ code: 'BROKER_ADDRESS', message: expect.stringContaining(reason) }),
    );
  });

  test('no password is shown', () => {
    expect(() => parseBrokerAddress('mqtt://me:secret@h/f/d?x=1', {})).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });
});

// The examples of MQTT 3.1.1, 4.7.1.
test.each([
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
  ['sport/#', 'sport', true],
  ['#', 'anything/at/all', true],
  ['sport/tennis/+', 'sport/tennis/player1', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false],
  ['sport/+', 'sport/', true],
  ['+/+', '/finance', true],
  ['/+', '/finance', true],
  ['+', '/finance', false],
  ['a/b', 'a/b/c', false],
])('%s and %s: %s', (filter, topic, matches) => {
  expect(matchesFilter(filter, topic)).toBe(matches);
});

test('topics of a fleet, and the shard of a device', () => {
  expect(fleetTopics('plant').smpRequest('d1', 'c')).toBe('atoll/plant/d/d1/smp/req/c');
  // printf d1 | sha256sum
  expect(shardOf('d1')).toBe('8b');
});
