// Simulated devices at a broker, each with a connection of its own.

import type { VerifyingKey } from '../../bundle/index.js';
import { seededRandom } from '../../dataset/index.js';
import { type BrokerAddress, type BrokerConnection, connectToBroker, deviceClientId, fleetTopics, presence } from '../../mqtt/index.js';
import type { Target } from '../../targets/index.js';
import { FleetDevice, type FleetFault, type FleetPort } from './fleet-device.js';
import { ImageStore } from './image-store.js';

export interface FleetOptions {
  readonly fleet: string;
  readonly count: number;
  /** Devices are named by it and their number. */
  readonly prefix: string;
  readonly target: Target;
  readonly keys?: readonly VerifyingKey[];
  readonly seed?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** What share of the devices has a fault; which ones, the seed decides. */
  readonly faults?: readonly { readonly name: FleetFault; readonly share: number }[];
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

export interface ServedFleet {
  readonly devices: readonly FleetDevice[];
  readonly close: () => Promise<void>;
}

/** So many connections are being made at once. */
const connecting = 100;

/** @throws BROKER_*, INTERRUPTED */
export async function serveFleet(address: BrokerAddress, options: FleetOptions): Promise<ServedFleet> {
  const { count, prefix, seed = 1, onProgress, signal } = options;
  const store = new ImageStore(options.target, options.keys ?? []);
  const random = seededRandom(seed);
  const digits = String(count).length;
  const plans = Array.from({ length: count }, (_, i) => ({
    id: `${prefix}${String(i + 1).padStart(digits, '0')}`,
    seed: seed + i,
    faults: (options.faults ?? []).filter(({ share }) => random() < share).map(({ name }) => name),
  }));
  const served: { device: FleetDevice; connection: BrokerConnection }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(
      served.splice(0).map(({ device, connection }) => {
        device.stop();
        return connection.close();
      }),
    );
  };
  try {
    for (let at = 0; at < count; at += connecting) {
      signal?.throwIfAborted();
      onProgress?.({ done: at, total: count });
      const batch = plans.slice(at, at + connecting).map((plan) => serveDevice(address, options, store, plan));
      for (const outcome of await Promise.allSettled(batch)) {
        if (outcome.status === 'rejected') throw outcome.reason;
        served.push(outcome.value);
      }
    }
    onProgress?.({ done: count, total: count });
    return { devices: served.map(({ device }) => device), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serveDevice(
  address: BrokerAddress,
  { fleet, target, tags }: FleetOptions,
  store: ImageStore,
  { id, seed, faults }: { readonly id: string; readonly seed: number; readonly faults: readonly FleetFault[] },
): Promise<{ device: FleetDevice; connection: BrokerConnection }> {
  const will = { topic: fleetTopics(fleet).alive(id), payload: presence.offline };
  const connection = await connectToBroker(address, { clientId: deviceClientId(fleet, id), will });
  const device = new FleetDevice(
    id,
    fleet,
    target,
    portOver(connection, (topic, payload) => device.received(topic, payload)),
    store,
    { seed, faults, ...(tags === undefined ? {} : { tags }) },
  );
  connection.onChange = (connected) => {
    if (connected) device.connected();
  };
  device.connected();
  return { device, connection };
}

/** What is lost with the connection is done again when it is back: `connected` says it all once more. */
function portOver(connection: BrokerConnection, receive: (topic: string, payload: Uint8Array) => void): FleetPort {
  return {
    subscribe: (filter) => void connection.subscribe(filter, ({ topic, payload }) => receive(topic, payload)).catch(() => undefined),
    unsubscribe: (filter) => void connection.unsubscribe(filter),
    publish: (topic, payload, retain) => void connection.publish(topic, payload, { retain }).catch(() => undefined),
    now: () => Date.now(),
    later: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  };
}
