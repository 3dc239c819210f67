// Simulated devices at a broker, each with a connection of its own: they take rollouts, and answer SMP packets.

import type { VerifyingKey } from '../../bundle/index.js';
import { type Dataset, seededRandom } from '../../dataset/index.js';
import { reasonOf } from '../../errors.js';
import type { BrokerAddress, BrokerConnection } from '../../mqtt/index.js';
import type { Target } from '../../targets/index.js';
import { acceptSmp, connectDevice, leaveBroker } from '../../transport/index.js';
import { ServedDevice, SimulatedDevice, type SimulatedDeviceOptions } from '../device.js';
import type { Engine } from '../engine.js';
import type { KeptSlots } from '../kept-slots.js';
import { FleetDevice, type FleetPort } from './fleet-device.js';
import type { FleetFault } from './fleet-faults.js';
import { ImageStore } from './image-store.js';

export interface FleetOptions {
  readonly fleet: string;
  /** Of the devices. */
  readonly ids: readonly string[];
  readonly target: Target;
  readonly keys?: readonly VerifyingKey[];
  readonly seed?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** What share of the devices has a fault; which ones, the seed decides. */
  readonly faults?: readonly { readonly name: FleetFault; readonly share: number }[];
  /** Labelled samples that every device holds. */
  readonly samples?: Dataset;
  /** How they answer SMP packets. */
  readonly smp?: Pick<SimulatedDeviceOptions, 'buffers' | 'faults' | 'inflateBytes' | 'maxPacketBytes'>;
  /** What runs their models; a simulator for each unless given. */
  readonly engine?: Engine;
  /** What flash holds already, of a single device. */
  readonly slots?: KeptSlots;
  /** Called with what happens to a device, or to its connection. */
  readonly onEvent?: (text: string) => void;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

export interface ServedFleet {
  readonly devices: readonly FleetDevice[];
  readonly close: () => Promise<void>;
}

/** So many connections are being made at once. */
const connecting = 100;

/** `PREFIX01`, `PREFIX02`, ... */
export function numberedIds(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(i + 1).padStart(String(count).length, '0')}`);
}

/** @throws BROKER_*, INTERRUPTED */
export async function serveFleet(address: BrokerAddress, options: FleetOptions): Promise<ServedFleet> {
  const { ids, seed = 1, onProgress, signal } = options;
  const store = new ImageStore(options.target, options.keys ?? [], options.samples ?? null, options.engine);
  const random = seededRandom(seed);
  const plans = ids.map((id, i) => ({
    id,
    seed: seed + i,
    faults: (options.faults ?? []).filter(({ share }) => random() < share).map(({ name }) => name),
  }));
  const served: { device: FleetDevice; connection: BrokerConnection }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(
      served.splice(0).map(({ device, connection }) => {
        device.stop();
        return leaveBroker(connection, options.fleet, device.id);
      }),
    );
  };
  try {
    for (let at = 0; at < ids.length; at += connecting) {
      signal?.throwIfAborted();
      onProgress?.({ done: at, total: ids.length });
      const batch = plans.slice(at, at + connecting).map((plan) => serveDevice(address, options, store, plan));
      for (const outcome of await Promise.allSettled(batch)) {
        if (outcome.status === 'rejected') throw outcome.reason;
        served.push(outcome.value);
      }
    }
    onProgress?.({ done: ids.length, total: ids.length });
    return { devices: served.map(({ device }) => device), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serveDevice(
  address: BrokerAddress,
  { fleet, target, tags, keys, smp, engine, slots: kept, onEvent = () => undefined }: FleetOptions,
  store: ImageStore,
  { id, seed, faults }: { readonly id: string; readonly seed: number; readonly faults: readonly FleetFault[] },
): Promise<{ device: FleetDevice; connection: BrokerConnection }> {
  const connection = await connectDevice(address, fleet, id);
  const port = portOver(connection, (topic, payload) => device.received(topic, payload));
  const keeping = kept === undefined ? {} : { keep: () => kept.keep() };
  const flash = kept === undefined ? {} : { slots: kept, ...keeping };
  const device = new FleetDevice(id, fleet, target, port, store, { seed, faults, ...(tags === undefined ? {} : { tags }), ...flash });
  // Made when somebody asks: most devices of a fleet are never spoken to.
  let server: ServedDevice | null = null;
  await acceptSmp(connection, fleet, id, (transport) => {
    const { slots } = device;
    const common = {
      ...smp,
      id,
      slots,
      ...(keys === undefined ? {} : { keys }),
      onActivated: () => activated(),
      onFault: (error: unknown) => onEvent(reasonOf(error)),
      ...keeping,
    };
    server ??= engine === undefined ? new SimulatedDevice(target, { ...common, seed }) : new ServedDevice(target, engine, common);
    void server.reload();
    server.serve(transport);
  });
  const activated = (): void => {
    onEvent(`${id} runs another model, which somebody has pushed`);
    device.changedOtherwise();
  };
  connection.onChange = (connected) => {
    onEvent(`${id} is ${connected ? 'at its broker again' : 'cut off from its broker, and tries again'}`);
    if (connected) device.connected();
  };
  device.onReport = ({ state, code, detail, rollout }) => {
    if (rollout !== undefined)
      onEvent(`${id}, rollout ${rollout}: ${state}${code === undefined ? '' : ` (${code}${detail === undefined ? '' : `: ${detail}`})`}`);
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
    wake: () => undefined,
  };
}
