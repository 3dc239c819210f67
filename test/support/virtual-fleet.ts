// A fleet in virtual time: the real agent and the real devices, around a broker that may lose, repeat and reorder
// messages.

import { sha256Hex } from '../../src/base/hashes.js';
import { seededRandom } from '../../src/base/random.js';
import type { VerifyingKey } from '../../src/devices/bundle/index.js';
import {
  type FaultRates,
  FleetDevice,
  type FleetFault,
  ImageStore,
  VirtualBroker,
  type VirtualSession,
  VirtualTime,
} from '../../src/devices/simulated/index.js';
import {
  type AgentOptions,
  beginRollout,
  type DeviceRecord,
  leadRollout,
  openStore,
  type RolloutEvent,
  type RolloutPlan,
  type RolloutRow,
  type RolloutStore,
  readRegistry,
  summarize,
} from '../../src/fleet/index.js';
import type { Target } from '../../src/targets/index.js';

export interface VirtualFleetOptions {
  readonly target: Target;
  readonly count: number;
  readonly seed?: number;
  readonly faultRates?: FaultRates;
  readonly keys?: readonly VerifyingKey[];
  readonly faults?: readonly { readonly name: FleetFault; readonly share: number }[];
  /** What the clock of a device shows beyond the time, in milliseconds. @param sinceMs time since the fleet began */
  readonly clockOffMs?: (id: string, sinceMs: number) => number;
  /** What runs on every device before anything is rolled out. */
  readonly factory?: Uint8Array;
}

export const examplePlan: Omit<RolloutPlan, 'rollout' | 'gates'> = {
  bundle: 'm.bundle',
  previous: null,
  select: { tags: {}, ids: null, share: 1 },
  expect: null,
  waves: [{ share: 0.05 }, { share: 0.25 }, { share: 1 }],
  deadlines: { notified: 120_000, downloading: 600_000, verified: 60_000, pending: 60_000 },
  concurrency: 50,
  bytesPerSecond: null,
  window: null,
  notAfter: null,
  blockBytes: 1024,
  source: 'retained',
};

/** Around every commit of the agent. */
export interface Hooks {
  readonly before?: () => void;
  readonly after?: () => void;
}

export class VirtualFleet {
  readonly time = new VirtualTime();
  private readonly beganAt = this.time.now();
  readonly broker: VirtualBroker;
  readonly devices = new Map<string, FleetDevice>();
  /** Faults of those that have any. */
  readonly faulty = new Map<string, readonly FleetFault[]>();
  /** Between what the agent's machine says it is, and what it is. */
  wallOffMs = 0;
  readonly commits: { readonly devices: readonly DeviceRecord[]; readonly events: readonly RolloutEvent[] }[] = [];
  private readonly images: ImageStore;

  private constructor(
    readonly options: VirtualFleetOptions,
    readonly store: RolloutStore,
  ) {
    const { count, seed = 1, faultRates, faults = [], keys = [], target } = options;
    this.broker = new VirtualBroker(this.time, { seed, ...(faultRates === undefined ? {} : { faultRates }) });
    this.images = new ImageStore(target, keys);
    const random = seededRandom(seed + 1);
    for (let i = 0; i < count; i++) {
      const id = `d${String(i).padStart(4, '0')}`;
      const own = faults.filter(({ share }) => random() < share).map(({ name }) => name);
      if (own.length > 0) this.faulty.set(id, own);
      this.add(id, seed + i, own);
    }
  }

  static async of(options: VirtualFleetOptions): Promise<VirtualFleet> {
    return new VirtualFleet(options, await openStore(':memory:'));
  }

  add(id: string, seed: number, faults: readonly FleetFault[] = []): FleetDevice {
    const { time, broker } = this;
    const session: VirtualSession = broker.connect(false, () => device.connected());
    const device: FleetDevice = new FleetDevice(
      id,
      'v',
      this.options.target,
      {
        subscribe: (filter) => session.listen(filter, ({ topic, payload }) => device.received(topic, payload)),
        unsubscribe: (filter) => void session.unsubscribe(filter),
        publish: (topic, payload, retain) => session.send(topic, payload, retain),
        now: () => time.now() + (this.options.clockOffMs?.(id, time.now() - this.beganAt) ?? 0),
        later: (ms, callback) => time.later(ms, callback),
        wake: () => time.wake(),
      },
      this.images,
      { seed, faults },
    );
    this.devices.set(id, device);
    const { factory } = this.options;
    if (factory !== undefined) {
      const bytes = this.images.shared(sha256Hex(factory), factory);
      Object.assign(device.slots.all[0], { bytes, active: true, confirmed: true, tested: true });
    }
    device.connected();
    return device;
  }

  get clock() {
    const { time } = this;
    return {
      wall: () => time.now() + this.wallOffMs,
      elapsed: () => time.now(),
      later: (ms: number, callback: () => void) => time.laterAwaited(ms, callback),
    };
  }

  /** Every commit is noted; hooks may end the agent by throwing, as a kill would: its lease is not given back. */
  private watched({ before, after }: Hooks): RolloutStore {
    const { store, commits } = this;
    let killed = false;
    const hooked = (hook: (() => void) | undefined): void => {
      try {
        hook?.();
      } catch (error) {
        killed = true;
        throw error;
      }
    };
    return Object.assign(Object.create(store) as RolloutStore, {
      commit: async (...args: Parameters<RolloutStore['commit']>) => {
        hooked(before);
        await store.commit(...args);
        commits.push(args[2]);
        hooked(after);
      },
      giveLease: async (...args: Parameters<RolloutStore['giveLease']>) => {
        if (!killed) await store.giveLease(...args);
      },
    });
  }

  /** What is asked for in virtual time is waited for in virtual time. */
  async wait<T>(work: Promise<T>): Promise<T> {
    let outcome: { readonly value: T } | { readonly error: unknown } | null = null;
    work.then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    await this.time.until(() => outcome !== null);
    const ended = outcome as { readonly value: T } | { readonly error: unknown } | null;
    if (ended === null) throw new Error('nothing is to come any more, and it has not ended');
    if ('error' in ended) throw ended.error;
    return ended.value;
  }

  async begin(plan: RolloutPlan, image: Uint8Array, previousImage: Uint8Array | null = null): Promise<RolloutRow> {
    const session = this.broker.connect(true);
    const row = await this.wait(
      beginRollout(
        this.store,
        { plan, image, previousImage, fleet: 'v', uri: 'virtual://broker/v' },
        () => readRegistry(session, 'v', { clock: this.clock }),
        {
          now: this.time.now(),
        },
      ),
    );
    session.close();
    return row;
  }

  async lead(no: number, options: AgentOptions = {}, hooks: Hooks = {}): Promise<RolloutRow> {
    const session = this.broker.connect(true);
    try {
      return await this.wait(leadRollout(this.watched(hooks), session, 'v', no, { clock: this.clock, ...options }));
    } finally {
      session.close();
    }
  }

  async rollOut(plan: RolloutPlan, image: Uint8Array, options: AgentOptions = {}) {
    const row = await this.begin(plan, image);
    return summarize(this.store, await this.lead(row.no, options), this.time.now());
  }

  async records(no: number): Promise<Map<string, DeviceRecord>> {
    const records = new Map<string, DeviceRecord>();
    for await (const record of this.store.devices(no)) records.set(record.id, record);
    return records;
  }

  /** Waits until the devices have done what they had begun. */
  async settle(ms = 600_000): Promise<void> {
    const end = this.time.now() + ms;
    this.time.later(ms, () => undefined);
    await this.time.until(() => this.time.now() >= end);
  }
}
