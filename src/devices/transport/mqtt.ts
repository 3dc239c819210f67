// MQTT: one SMP packet per message. Requests go to the device's topic with a nonce of the client, responses come back
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

/** Timeout for the broker's retained `alive` message. */
const knownWithinMs = 2000;
/** Time for a device to return to its broker, longer than its reconnect delay. */
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

  /** Lost packets are repeated by the client that waits for the response. */
  protected async write(packet: Uint8Array): Promise<void> {
    await this.emit(packet);
  }
}

/** @throws BROKER_*; DEVICE_UNREACHABLE if the device is offline, or was never connected to this broker */
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
        reason: state === null ? 'no device of this name was ever connected' : 'it is offline',
      });
    return transport;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/**
 * @returns null if nothing is retained. A device that goes offline later, and does not come back, ends the transport
 */
async function stateOf(connection: BrokerConnection, topic: string, transport: MqttTransport): Promise<string | null> {
  let receive: (state: string) => void = () => undefined;
  const received = new Promise<string>((resolve) => {
    receive = resolve;
  });
  let leaving: NodeJS.Timeout | undefined;
  await connection.subscribe(topic, ({ payload }) => {
    const state = Buffer.from(payload).toString('utf8');
    receive(state);
    clearTimeout(leaving);
    // A broker that restarts reports all devices as offline until each has reconnected.
    if (state === presence.offline)
      leaving = setTimeout(() => void transport.end('the device went offline'), comeBackMs).unref();
  });
  return Promise.race([received, delay(knownWithinMs, null, { ref: false })]);
}

/**
 * Serves a device's SMP packets over its connection to a broker: each client has its own transport.
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

/** A device's own connection; its last will reports it as offline. @throws BROKER_* */
export function connectDevice(address: BrokerAddress, fleet: string, device: string): Promise<BrokerConnection> {
  return connectToBroker(address, {
    clientId: deviceClientId(fleet, device),
    will: { topic: fleetTopics(fleet).alive(device), payload: presence.offline },
  });
}

/** Reports the device as offline and disconnects. */
export async function leaveBroker(connection: BrokerConnection, fleet: string, device: string): Promise<void> {
  connection.onChange = null;
  const said = connection
    .publish(fleetTopics(fleet).alive(device), presence.offline, { retain: true })
    .catch(() => undefined);
  // Do not wait for a broker that is gone.
  await Promise.race([said, delay(1000, null, { ref: false })]);
  await connection.close();
}

/**
 * Serves a device at a broker until the listener is closed.
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
    throw fail('BROKER_ADDRESS', { uri, reason: 'a device address is mqtt://BROKER/FLEET/DEVICE' });
  return { fleet, device };
}
