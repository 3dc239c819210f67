// Simulated devices at a broker, each with its own connection: they take part in rollouts and answer SMP packets.

import { setTimeout as delay } from 'node:timers/promises';
import { fail, reasonOf } from '../../../base/errors.js';
import type { OnProgress } from '../../../base/progress.js';
import { seededRandom } from '../../../base/random.js';
import type { Dataset } from '../../../data/index.js';
import type { Target } from '../../../targets/index.js';
import type { VerifyingKey } from '../../bundle/index.js';
import { type BrokerAddress, type BrokerConnection, fleetTopics } from '../../mqtt/index.js';
import { acceptSmp, connectDevice, leaveBroker } from '../../transport/index.js';
import { ServedDevice, SimulatedDevice, type SimulatedDeviceOptions } from '../device.js';
import type { DeviceEngine } from '../device-engine.js';
import type { PersistentSlots } from '../persistent-slots.js';
import { FleetDevice } from './fleet-device.js';
import type { FleetFault } from './fleet-faults.js';
import { ImageStore } from './image-store.js';
import type { FleetPort } from './port.js';

export interface FleetOptions {
  readonly fleet: string;
  /** Ids of the devices. */
  readonly ids: readonly string[];
  readonly target: Target;
  readonly keys?: readonly VerifyingKey[];
  readonly seed?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** The share of devices with each fault; the seed selects them. */
  readonly faults?: readonly { readonly name: FleetFault; readonly share: number }[];
  /** Labelled samples that every device holds. */
  readonly samples?: Dataset;
  /** How they answer SMP packets. */
  readonly smp?: Pick<SimulatedDeviceOptions, 'buffers' | 'faults' | 'inflateBytes' | 'maxPacketBytes'>;
  /** Engine of their models; by default a simulator each. */
  readonly engine?: DeviceEngine;
  /** Existing content of flash, for a single device. */
  readonly slots?: PersistentSlots;
  /** Called with events of a device or of its connection. */
  readonly onEvent?: (text: string) => void;
  /** Called with the reason when a broker refuses a device, each time that the reason changes. */
  readonly onTrouble?: (text: string) => void;
  readonly onProgress?: OnProgress<'connect'>;
  readonly signal?: AbortSignal;
}

export interface ServedFleet {
  readonly devices: readonly FleetDevice[];
  /** Rejects with BROKER_REFUSED when other clients have taken over the ids of all devices. */
  readonly lost: Promise<never>;
  readonly close: () => Promise<void>;
}

/** Maximum number of connections made at once. */
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
  let [lose, left]: [(error: Error) => void, number] = [() => undefined, ids.length];
  const lost = new Promise<never>((_, reject) => {
    lose = reject;
  });
  // Without a handler, a rejection would end the process.
  lost.catch(() => undefined);
  const onLost = (error: Error): void => {
    left -= 1;
    if (left === 0) lose(error);
  };
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
      onProgress?.({ step: 'connect', done: at, total: ids.length });
      const batch = plans
        .slice(at, at + connecting)
        .map((plan) => serveDevice(address, { ...options, onLost }, store, plan));
      const outcomes = await Promise.allSettled(batch);
      for (const outcome of outcomes) if (outcome.status === 'fulfilled') served.push(outcome.value);
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    }
    onProgress?.({ step: 'connect', done: ids.length, total: ids.length });
    return { devices: served.map(({ device }) => device), lost, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serveDevice(
  address: BrokerAddress,
  options: FleetOptions & { readonly onLost: (error: Error) => void },
  store: ImageStore,
  { id, seed, faults }: { readonly id: string; readonly seed: number; readonly faults: readonly FleetFault[] },
): Promise<{ device: FleetDevice; connection: BrokerConnection }> {
  const {
    fleet,
    target,
    tags,
    keys,
    smp,
    engine,
    slots: kept,
    onLost,
    onEvent = () => undefined,
    onTrouble = () => undefined,
  } = options;
  const connection = await connectDevice(address, fleet, id);
  const port = new BrokerPort(
    connection,
    (topic, payload) => device.received(topic, payload),
    (text) => onTrouble(`${id}: ${text}`),
  );
  const keeping = kept === undefined ? {} : { keep: () => kept.keep() };
  const flash = kept === undefined ? {} : { slots: kept, ...keeping };
  const device = new FleetDevice(id, fleet, target, port, store, {
    seed,
    faults,
    ...(tags === undefined ? {} : { tags }),
    ...flash,
  });
  // Created on demand: most devices of a fleet never receive SMP packets.
  let server: ServedDevice | null = null;
  const activated = (): void => {
    onEvent(`${id} runs another model, which a client has pushed`);
    device.changedOtherwise();
  };
  let toldUnstable = false;
  connection.onChange = (connected) => {
    onEvent(
      `${id} is ${connected ? 'connected to its broker again' : 'disconnected from its broker and reconnecting'}`,
    );
    if (connected) device.connected();
    else if (connection.isUnstable && !toldUnstable) {
      toldUnstable = true;
      onTrouble(`${id}: ${connection.trouble?.reason}`);
    }
  };
  device.onReport = ({ state, code, detail, rollout }) => {
    if (rollout !== undefined)
      onEvent(
        `${id}, rollout ${rollout}: ` +
          `${state}${code === undefined ? '' : ` (${code}${detail === undefined ? '' : `: ${detail}`})`}`,
      );
  };
  connection.onEnd = (error) => {
    onTrouble(`${id}: ${error.message}`);
    device.stop();
    onLost(error);
  };
  try {
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
      server ??=
        engine === undefined
          ? new SimulatedDevice(target, { ...common, seed })
          : new ServedDevice(target, engine, common);
      void server.reload();
      server.serve(transport);
    });
    device.connected();
    await port.firstPublished(address.uri);
    if (connection.version === 4 && !(await port.isRetained(fleetTopics(fleet).alive(id))))
      onTrouble(`${id}: ${silentRefusal}`);
    return { device, connection };
  } catch (error) {
    device.stop();
    await connection.close();
    throw error;
  }
}

/** With MQTT 3.1.1 a broker cannot refuse a message: it drops it. */
const silentRefusal =
  'the broker does not return what this device publishes: it may not be allowed to write or read under this name';
/** Timeouts for the acknowledgement of the first message, and for the return of a retained one. */
const [acknowledgedWithinMs, returnsWithinMs] = [10_000, 2000];

/** What is lost with a connection is sent again after reconnecting: `connected` sends everything. */
class BrokerPort implements FleetPort {
  private first: Promise<void> | null = null;
  private refusal = '';

  constructor(
    private readonly connection: BrokerConnection,
    private readonly receive: (topic: string, payload: Uint8Array) => void,
    private readonly onRefused: (text: string) => void,
  ) {}

  subscribe(filter: string): void {
    this.watch(this.connection.subscribe(filter, ({ topic, payload }) => this.receive(topic, payload)));
  }

  unsubscribe(filter: string): void {
    void this.connection.unsubscribe(filter);
  }

  publish(topic: string, payload: Uint8Array | string, retain: boolean): void {
    const publication = this.connection.publish(topic, payload, { retain });
    if (this.first !== null) return this.watch(publication);
    this.first = publication;
    // Awaited later, or never if the device ends first: without a handler a rejection would end the process.
    publication.catch(() => undefined);
  }

  now(): number {
    return Date.now();
  }

  later(ms: number, callback: () => void): () => void {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  }

  wake(): void {}

  /**
   * Waits until the broker has acknowledged the first message, which announces the device.
   * @throws BROKER_* if it refuses the message or does not answer
   */
  async firstPublished(broker: string): Promise<void> {
    const over = new AbortController();
    const late = delay(acknowledgedWithinMs, undefined, { signal: over.signal }).then(
      () => {
        throw fail('BROKER_UNREACHABLE', {
          broker,
          reason: `it has acknowledged nothing for ${acknowledgedWithinMs} ms`,
        });
      },
      () => undefined,
    );
    try {
      await Promise.race([this.first, late]);
    } finally {
      over.abort();
    }
  }

  /** Whether the broker returns a retained message of this device. */
  async isRetained(topic: string): Promise<boolean> {
    let tell: (arrived: boolean) => void = () => undefined;
    const arrived = new Promise<boolean>((resolve) => {
      tell = resolve;
    });
    const timer = setTimeout(() => tell(false), returnsWithinMs);
    this.connection.subscribe(topic, () => tell(true)).catch(() => tell(false));
    const outcome = await arrived;
    clearTimeout(timer);
    await this.connection.unsubscribe(topic);
    return outcome;
  }

  private watch(work: Promise<void>): void {
    work.catch((error: unknown) => {
      const text = reasonOf(error);
      if (text !== this.refusal) this.onRefused(text);
      this.refusal = text;
    });
  }
}
