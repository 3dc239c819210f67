// MQTT: one SMP packet per message. Requests go to the device's topic under a nonce of the client, answers come back
// under it.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '../../base/errors.js';
import {
  type BrokerAddress,
  type BrokerConnection,
  connectToBroker,
  deviceClientId,
  fleetTopics,
  parseBrokerAddress,
  presence,
  topicName,
} from '../mqtt/index.js';
import { maxPacketBytes } from '../protocol/index.js';
import { Clients } from './clients.js';
import { EndingTransport } from './ending.js';
import type { Listener } from './listener.js';
import { plainLine, type Transport } from './transport.js';

/** For the broker to say whether it knows the device. */
const knownWithinMs = 2000;
/** For a device to be back at its broker: longer than it waits before it tries again. */
const comeBackMs = 8000;

class MqttTransport extends EndingTransport {
  readonly line = plainLine;

  constructor(
    name: string,
    private readonly emit: (packet: Uint8Array) => Promise<void>,
    protected readonly release: () => Promise<void> | void,
  ) {
    super(name);
  }

  receive(packet: Uint8Array): void {
    if (this.open && packet.byteLength <= maxPacketBytes) this.onPacket?.(packet);
  }

  /** What is lost is asked again by whoever waits for an answer. */
  protected async write(packet: Uint8Array): Promise<void> {
    await this.emit(packet);
  }
}

/** @throws BROKER_*, DEVICE_UNREACHABLE where the device is offline, or the broker has never heard of it */
export async function openMqtt(uri: string): Promise<Transport> {
  const address = parseBrokerAddress(uri);
  const { fleet, device } = placeOf(address);
  const topics = fleetTopics(fleet);
  const client = randomBytes(8).toString('hex');
  const connection = await connectToBroker(address);
  const transport = new MqttTransport(
    address.uri,
    (packet) => connection.publish(topics.smpRequest(device, client), packet),
    () => connection.close(),
  );
  try {
    await connection.subscribe(topics.smpResponse(device, client), ({ payload }) => transport.receive(payload));
    const state = await stateOf(connection, topics.alive(device), transport);
    if (state !== presence.online)
      throw fail('DEVICE_UNREACHABLE', {
        device: address.uri,
        reason: state === null ? 'no device of this name has been there' : 'it is offline',
      });
    return transport;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** @returns null where nothing is retained; a device that goes later, and does not come back, ends the transport */
async function stateOf(connection: BrokerConnection, topic: string, transport: MqttTransport): Promise<string | null> {
  let tell: (state: string) => void = () => undefined;
  const told = new Promise<string>((resolve) => {
    tell = resolve;
  });
  let leaving: NodeJS.Timeout | undefined;
  await connection.subscribe(topic, ({ payload }) => {
    const state = Buffer.from(payload).toString('utf8');
    tell(state);
    clearTimeout(leaving);
    // A broker that restarts says so of every device, and each comes back at its time.
    if (state === presence.offline)
      leaving = setTimeout(() => void transport.end('the device went offline'), comeBackMs).unref();
  });
  return Promise.race([told, delay(knownWithinMs, null, { ref: false })]);
}

/**
 * Packets for a device, over its connection to a broker: each client's are a transport of their own.
 * @throws BROKER_REFUSED
 */
export async function acceptSmp(
  connection: BrokerConnection,
  fleet: string,
  device: string,
  onConnection: (transport: Transport) => void,
): Promise<void> {
  const topics = fleetTopics(fleet);
  const clients = new Clients<MqttTransport>(onConnection);
  await connection.subscribe(topics.smpRequest(device, '+'), ({ topic, payload }) => {
    const client = topic.slice(topic.lastIndexOf('/') + 1);
    if (!topicName.test(client)) return;
    const answer = (packet: Uint8Array): Promise<void> =>
      connection.publish(topics.smpResponse(device, client), packet);
    clients.of(client, (forget) => new MqttTransport(connection.uri, answer, forget)).receive(payload);
  });
}

/** A device's own connection; its last will says that it is gone. @throws BROKER_* */
export function connectDevice(address: BrokerAddress, fleet: string, device: string): Promise<BrokerConnection> {
  return connectToBroker(address, {
    clientId: deviceClientId(fleet, device),
    will: { topic: fleetTopics(fleet).alive(device), payload: presence.offline },
  });
}

/** Goes, and says so. */
export async function leaveBroker(connection: BrokerConnection, fleet: string, device: string): Promise<void> {
  connection.onChange = null;
  const said = connection
    .publish(fleetTopics(fleet).alive(device), presence.offline, { retain: true })
    .catch(() => undefined);
  // A broker that is gone is not waited for.
  await Promise.race([said, delay(1000, null, { ref: false })]);
  await connection.close();
}

/**
 * A device that answers at a broker, as long as this process goes on.
 * @throws BROKER_*
 */
export async function listenMqtt(uri: string, onConnection: (transport: Transport) => void): Promise<Listener> {
  const address = parseBrokerAddress(uri);
  const { fleet, device } = placeOf(address);
  const connection = await connectDevice(address, fleet, device);
  const comeAlive = (): void =>
    void connection.publish(fleetTopics(fleet).alive(device), presence.online, { retain: true }).catch(() => undefined);
  await acceptSmp(connection, fleet, device, onConnection);
  comeAlive();
  // The broker has published the last will meanwhile.
  connection.onChange = (connected) => {
    if (connected) comeAlive();
  };
  return { uri: address.uri, close: () => leaveBroker(connection, fleet, device) };
}

/** @throws BROKER_ADDRESS */
function placeOf({ uri, fleet, device }: BrokerAddress): { readonly fleet: string; readonly device: string } {
  if (fleet === null || device === null)
    throw fail('BROKER_ADDRESS', { uri, reason: 'a device is named mqtt://BROKER/FLEET/DEVICE' });
  return { fleet, device };
}
