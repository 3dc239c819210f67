// Parses broker addresses: mqtt://[USER[:PASSWORD]@]HOST[:PORT][/FLEET[/DEVICE]], or mqtts: with TLS, with the options
// ?ca=FILE&cert=FILE&key=FILE&version=4|5&session=keep&keepalive=SECONDS.

import { fail, reasonOf } from '../../base/errors.js';
import { topicName } from './topics.js';

/** The parts of an `mqtt://` or `mqtts://` URI. */
export interface BrokerAddress {
  /** The address without the password. */
  readonly uri: string;
  /** Scheme, host and port. */
  readonly url: string;
  readonly tls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  /** null if the address names none. */
  readonly fleet: string | null;
  /** Id of a device; null if the URI names none. */
  readonly device: string | null;
  /** PEM files: the authority that signed the broker's certificate, and the client's own certificate and key. */
  readonly ca: string | null;
  /** PEM file of the client's certificate. */
  readonly cert: string | null;
  /** PEM file of the client's private key. */
  readonly key: string | null;
  /** MQTT version: 5, or 4 for 3.1.1; null: the highest that the broker supports. */
  readonly version: 4 | 5 | null;
  /** The broker keeps subscriptions and messages of clients with an id of their own while they are disconnected. */
  readonly keepsSession: boolean;
  /** Keepalive interval in seconds. */
  readonly keepaliveSeconds: number;
}

const optionNames = ['ca', 'cert', 'key', 'version', 'session', 'keepalive'];
const defaultKeepaliveSeconds = 30;
const defaultPorts: Readonly<Record<string, string>> = { 'mqtt:': '1883', 'mqtts:': '8883' };

export function isBrokerUri(text: string): boolean {
  return /^mqtts?:/.test(text);
}

/**
 * Parses mqtt://[USER:PASSWORD@]HOST[:PORT][/FLEET[/DEVICE]].
 * @param environment ATOLL_MQTT_USERNAME and ATOLL_MQTT_PASSWORD are used if the address has no credentials
 * @throws BROKER_ADDRESS
 */
export function parseBrokerAddress(text: string, environment: NodeJS.ProcessEnv = process.env): BrokerAddress {
  const wrong = (reason: string): Error => fail('BROKER_ADDRESS', { uri: withoutPassword(text), reason });
  let parsed: URL;
  try {
    parsed = new URL(text);
  } catch (error) {
    throw wrong(reasonOf(error));
  }
  const { protocol, hostname, port, pathname, searchParams } = parsed;
  const defaultPort = defaultPorts[protocol];
  if (defaultPort === undefined || hostname === '') throw wrong('it does not start with mqtt://HOST or mqtts://HOST');
  const stranger = [...searchParams.keys()].find((name) => !optionNames.includes(name));
  if (stranger !== undefined) throw wrong(`unknown option ${stranger}; the options are ${optionNames.join(', ')}`);
  const [fleet = null, device = null, ...more] = pathname.split('/').filter((part) => part !== '');
  if (more.length > 0 || [fleet, device].some((name) => name !== null && !topicName.test(name)))
    throw wrong('names of fleets and devices have up to 64 letters, digits, dots, dashes and underscores');
  const version = searchParams.get('version');
  if (version !== null && version !== '4' && version !== '5')
    throw wrong(`version=${version}: must be 5, or 4 for MQTT 3.1.1`);
  const [session, keepalive] = [searchParams.get('session'), searchParams.get('keepalive')];
  if (session !== null && session !== 'keep') throw wrong(`session=${session}: must be keep, if present`);
  if (keepalive !== null && !/^[1-9]\d{0,4}$/.test(keepalive))
    throw wrong(`keepalive=${keepalive}: must be a number of seconds`);
  const option = (name: string): string | null => searchParams.get(name);
  if ((option('cert') === null) !== (option('key') === null)) throw wrong('cert and key must both be given');
  return {
    uri: withoutPassword(text),
    url: `${protocol}//${hostname}:${port === '' ? defaultPort : port}`,
    tls: protocol === 'mqtts:',
    username: parsed.username === '' ? (environment.ATOLL_MQTT_USERNAME ?? null) : decodeURIComponent(parsed.username),
    password: parsed.password === '' ? (environment.ATOLL_MQTT_PASSWORD ?? null) : decodeURIComponent(parsed.password),
    fleet,
    device,
    ca: option('ca'),
    cert: option('cert'),
    key: option('key'),
    version: version === null ? null : (Number(version) as 4 | 5),
    keepsSession: session === 'keep',
    keepaliveSeconds: keepalive === null ? defaultKeepaliveSeconds : Number(keepalive),
  };
}

/** @throws BROKER_ADDRESS if it names none */
export function fleetOf({ uri, fleet }: BrokerAddress): string {
  if (fleet === null) throw fail('BROKER_ADDRESS', { uri, reason: 'it does not name a fleet: mqtt://BROKER/FLEET' });
  return fleet;
}

/**
 * HOST:PORT/FLEET: identifies a fleet, independent of user and scheme. @throws BROKER_ADDRESS if the address names none
 */
export function fleetKey(address: BrokerAddress): string {
  return `${address.url.replace(/^mqtts?:\/\//, '')}/${fleetOf(address)}`;
}

function withoutPassword(text: string): string {
  return text.replace(/^(mqtts?:\/\/[^:@/]*):[^@/]*@/, '$1:***@');
}
