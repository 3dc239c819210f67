import { Mutex } from 'async-mutex';
import type { Target } from '../../targets/index.js';
import type { VerifyingKey } from '../bundle/index.js';
import { inProcessPair, type Transport } from '../transport/index.js';
import { atollHandlers } from './atoll-group.js';
import type { DeviceEngine } from './device-engine.js';
import { type Counter, counterNames, type DeviceState, type PendingUpload } from './device-state.js';
import { enumerationHandlers } from './enumeration-group.js';
import { type FaultName, Faults } from './faults.js';
import { fileHandlers } from './file-group.js';
import { LoadedModel } from './loaded-model.js';
import { osHandlers } from './os-group.js';
import { SmpServer } from './server.js';
import { simulatedEngine } from './simulated-engine.js';
import { counterOf, type Slot, Slots } from './slots.js';
import { statsHandlers } from './stats-group.js';
import { atollStatusError, StatusError } from './status-error.js';
import { Tensors } from './tensors.js';
import { requireTrust } from './trust.js';

/** How a device in this process presents itself. */
export interface ServedDeviceOptions {
  readonly id?: string;
  /** The largest packet, header included, as `params` reports it. */
  readonly maxPacketBytes?: number;
  /** Number of requests accepted at once, as `params` reports it. */
  readonly buffers?: number;
  /** Largest block of a compressed upload; null for a device without compression. */
  readonly inflateBytes?: number | null;
  readonly faults?: readonly FaultName[];
  /** Time after which an unconfirmed model is given up. */
  readonly confirmTimeoutMs?: number;
  readonly now?: () => number;
  /** It activates only images signed by one of these keys; empty: all. */
  readonly keys?: readonly VerifyingKey[];
  /** Existing flash, which others may write too; empty by default. */
  readonly slots?: Slots;
  /** Saves the content of flash if it has changed; called before each response. */
  readonly keep?: () => Promise<void>;
  /** Called with errors that keep it from running models. */
  readonly onFault?: (error: unknown) => void;
  /** Called when a model was activated. */
  readonly onActivated?: () => void;
}

/** How a simulated device presents itself, and its latency jitter. */
export interface SimulatedDeviceOptions extends ServedDeviceOptions {
  /** Seed of the latency jitter. */
  readonly seed?: number;
}

/** State of one connection. */
interface Session {
  tensors: Tensors | null;
}

/** Bytes of a packet besides the data: header, keys, offsets. */
const overheadBytes = 64;

/**
 * A device in this process: an SMP server with two slots, and an engine that runs models. It has no network or port of
 * its own; `connect` returns a transport to it.
 */
export class ServedDevice implements DeviceState {
  readonly id: string;
  readonly slots: Slots;
  readonly faults: Faults;
  readonly maxPacketBytes: number;
  readonly buffers: number;
  expectedBytes: number | null = null;
  compressed: PendingUpload | null = null;
  readonly counters = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<Counter, number>;
  private readonly server: SmpServer;
  /** The active model, or the error that keeps it from running; null if it must be loaded again. */
  private model: Promise<LoadedModel | null> | null = null;
  /** Requests are handled in order, except status queries. */
  private readonly turns = new Mutex();
  private readonly connections = new Set<Transport>();
  /** The connection whose request is being handled. */
  private asking: Session | null = null;
  private readonly nobody: Session = { tensors: null };
  private activatedAt = 0;
  private resetPending = false;

  constructor(
    readonly target: Target,
    readonly engine: DeviceEngine,
    private readonly options: ServedDeviceOptions = {},
  ) {
    this.id = options.id ?? target.id;
    this.slots = options.slots ?? new Slots();
    this.maxPacketBytes = options.maxPacketBytes ?? 2048;
    this.buffers = options.buffers ?? 4;
    this.faults = new Faults(new Set(options.faults ?? []));
    this.server = new SmpServer(
      [
        ...osHandlers(this),
        ...statsHandlers(this),
        ...enumerationHandlers,
        ...fileHandlers(this),
        ...atollHandlers(this),
      ],
      options,
    );
    void this.reload();
  }

  get inflateBytes(): number | null {
    return this.options.inflateBytes === undefined ? 4096 : this.options.inflateBytes;
  }

  get hasKey(): boolean {
    return (this.options.keys?.length ?? 0) > 0;
  }

  get chunkBytes(): number {
    return this.maxPacketBytes - overheadBytes;
  }

  /** The host's end of a new connection. @param name for messages */
  connect(name = `sim:${this.target.id}`): Transport {
    const [host, device] = inProcessPair(name);
    this.serve(device);
    return host;
  }

  /** Serves a transport of which this is the device's end. */
  serve(device: Transport): void {
    const session: Session = { tensors: null };
    this.connections.add(device);
    device.onClose = () => this.connections.delete(device);
    const reply = this.faults.responder((answer) => void device.send(answer).catch(() => undefined));
    device.onPacket = (packet) => void this.answer(packet, session).then(reply);
  }

  /** Ends every connection, as unplugging does. */
  unplug(): void {
    for (const connection of this.connections) void connection.close();
  }

  /**
   * The response to one packet, as sent over the wire.
   * @param session of the client; requests without one share a default
   */
  answer(packet: Uint8Array, session: Session = this.nobody): Promise<Uint8Array | null> {
    if (this.turns.isLocked() && packet.byteLength <= this.maxPacketBytes && this.server.takesAnytime(packet))
      return this.server.answer(packet);
    return this.turns.runExclusive(async () => {
      this.asking = session;
      this.enforceConfirmation();
      const made = packet.byteLength > this.maxPacketBytes ? null : await this.server.answer(packet);
      // Send the response before the reset.
      if (this.resetPending) {
        this.reset();
        await this.options.keep?.().catch(this.options.onFault);
      }
      return made;
    });
  }

  reset(): void {
    this.resetPending = false;
    this.count('resets', 1);
    this.expectedBytes = null;
    this.compressed = null;
    this.slots.boot();
    void this.reload();
  }

  count(counter: Counter, by: number): void {
    this.counters[counter] += by;
  }

  resetSoon(): void {
    this.resetPending = true;
  }

  async load(slot: Slot): Promise<LoadedModel> {
    const loaded = await LoadedModel.load(slot.bytes, this.target, this.engine);
    if (this.hasKey) {
      requireTrust(loaded.image, this.options.keys ?? []);
      this.slots.requireCounter(slot, counterOf(loaded.image));
    }
    return loaded;
  }

  useModel(model: LoadedModel): void {
    this.model = Promise.resolve(model);
    if (this.asking !== null) this.asking.tensors = null;
    this.activatedAt = this.now();
    this.options.onActivated?.();
  }

  async running(): Promise<LoadedModel> {
    const model = await (this.model ?? this.reload());
    if (model === null) throw atollStatusError('NO_MODEL', 'no model is active');
    return model;
  }

  async tensors(): Promise<Tensors> {
    const session = this.asking ?? this.nobody;
    const model = await this.running();
    const { tensors } = session;
    if (tensors !== null && tensors.start === this.counters.resets) {
      if (tensors.model.bytes === model.bytes) return tensors;
      session.tensors = null;
      throw atollStatusError('HASH_MISMATCH', 'another client has activated another model');
    }
    session.tensors = new Tensors(model, this.counters.resets);
    return session.tensors;
  }

  private enforceConfirmation(): void {
    const limit = this.options.confirmTimeoutMs;
    if (limit === undefined || this.slots.active?.pending !== true || this.now() - this.activatedAt < limit) return;
    this.slots.fallBack();
    void this.reload();
  }

  /** The model in the slots. */
  reload(): Promise<LoadedModel | null> {
    const { active } = this.slots;
    const loading = active === null ? Promise.resolve(null) : this.loadOrNone(active);
    this.model = loading;
    // Reports the error to this client; the next attempt may succeed.
    loading.catch(() => {
      if (this.model === loading) this.model = null;
    });
    return loading;
  }

  private async loadOrNone(slot: Slot): Promise<LoadedModel | null> {
    try {
      return await this.load(slot);
    } catch (error) {
      if (error instanceof StatusError) return null;
      throw error;
    }
  }

  private now(): number {
    return this.options.now?.() ?? performance.now();
  }
}

/** A device without hardware: runs models on the simulator, within the limits of its target. */
export class SimulatedDevice extends ServedDevice {
  constructor(target: Target, options: SimulatedDeviceOptions = {}) {
    const corrupt = options.faults?.includes('wrong-result') === true;
    super(target, simulatedEngine(target, { corrupt, ...(options.seed === undefined ? {} : { seed: options.seed }) }), {
      id: `sim-${target.id}`,
      ...options,
    });
  }
}
