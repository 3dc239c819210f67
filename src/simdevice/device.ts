import type { VerifyingKey } from '../bundle/index.js';
import type { Target } from '../targets/index.js';
import { inProcessPair, type Transport } from '../transport/index.js';
import { atollHandlers } from './atoll-group.js';
import { type Counter, counterNames, type DeviceState, type UploadUnderWay } from './device-state.js';
import { type FaultName, Faults } from './faults.js';
import { fileHandlers } from './file-group.js';
import { LoadedModel } from './loaded-model.js';
import { osHandlers } from './os-group.js';
import { SmpServer } from './server.js';
import { type Slot, Slots } from './slots.js';
import { statsHandlers } from './stats-group.js';
import { atollError, StatusError } from './status-error.js';
import { requireTrust } from './trust.js';

export interface SimulatedDeviceOptions {
  readonly id?: string;
  /** Seed of the jitter of its latencies. */
  readonly seed?: number;
  /** What `params` reports: the largest packet, header included. */
  readonly maxPacketBytes?: number;
  /** What `params` reports: how many requests it takes at once. */
  readonly buffers?: number;
  /** Longest block of a compressed upload; null for a device that takes none. */
  readonly inflateBytes?: number | null;
  readonly faults?: readonly FaultName[];
  /** A model that is not confirmed in time is given up. */
  readonly confirmTimeoutMs?: number;
  readonly now?: () => number;
  /** It activates only what one of these keys has signed; none: everything. */
  readonly keys?: readonly VerifyingKey[];
  /** Flash that is there already, and that others may write as well; a new one unless given. */
  readonly slots?: Slots;
  /** Called when a model has been activated. */
  readonly onActivated?: () => void;
}

/** Bytes of a packet that are not data: header, keys, offsets. */
const overheadBytes = 64;

/**
 * A device without hardware: an SMP server with two slots in memory, which runs models on the simulator within the
 * limits of its target. It has no network or port of its own; `connect` gives a transport to it.
 */
export class SimulatedDevice implements DeviceState {
  readonly id: string;
  readonly slots: Slots;
  readonly faults: Faults;
  readonly maxPacketBytes: number;
  readonly buffers: number;
  expectedBytes: number | null = null;
  compressed: UploadUnderWay | null = null;
  readonly counters = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<Counter, number>;
  private readonly server: SmpServer;
  private model: LoadedModel | null = null;
  private readonly connections = new Set<Transport>();
  private activatedAt = 0;
  private resetPending = false;

  constructor(
    readonly target: Target,
    private readonly options: SimulatedDeviceOptions = {},
  ) {
    this.id = options.id ?? `sim-${target.id}`;
    this.slots = options.slots ?? new Slots();
    this.maxPacketBytes = options.maxPacketBytes ?? 2048;
    this.buffers = options.buffers ?? 4;
    this.faults = new Faults(new Set(options.faults ?? []));
    this.server = new SmpServer([...osHandlers(this), ...statsHandlers(this), ...fileHandlers(this), ...atollHandlers(this)]);
    this.reload();
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

  /** The host's end of a new connection in this process. */
  connect(): Transport {
    const [host, device] = inProcessPair(`sim:${this.target.id}`);
    this.serve(device);
    return host;
  }

  /** Answers what arrives over a transport, of which this is the device's end. */
  serve(device: Transport): void {
    let held: Uint8Array | null = null;
    this.connections.add(device);
    device.onClose = () => this.connections.delete(device);
    device.onPacket = (packet) => {
      const answer = this.answer(packet);
      if (answer === null) return;
      const unlucky = this.faults.strikesAnswer();
      if (unlucky && this.faults.has('lost-response')) return;
      if (unlucky && this.faults.has('late-response')) {
        held = answer;
        return;
      }
      void device.send(answer).catch(() => undefined);
      if (held !== null) void device.send(held).catch(() => undefined);
      if (unlucky && this.faults.has('duplicate-response')) void device.send(answer).catch(() => undefined);
      held = null;
    };
  }

  /** Ends every connection, as pulling the plug does. */
  unplug(): void {
    for (const connection of this.connections) void connection.close();
  }

  /** The answer to one packet, as the wire would carry it. */
  answer(packet: Uint8Array): Uint8Array | null {
    this.enforceConfirmation();
    const answer = packet.byteLength > this.maxPacketBytes ? null : this.server.answer(packet);
    // The answer to a reset is sent before the reset.
    if (this.resetPending) this.reset();
    return answer;
  }

  reset(): void {
    this.resetPending = false;
    this.count('resets', 1);
    this.expectedBytes = null;
    this.compressed = null;
    this.slots.boot();
    this.reload();
  }

  count(counter: Counter, by: number): void {
    this.counters[counter] += by;
  }

  resetSoon(): void {
    this.resetPending = true;
  }

  load(slot: Slot): LoadedModel {
    const loaded = LoadedModel.load(slot.bytes, this.target, this.options.seed ?? 1, this.faults.has('wrong-result'));
    if (this.hasKey) requireTrust(loaded.image, this.options.keys ?? [], slot.active ? null : this.slots.active);
    return loaded;
  }

  useModel(model: LoadedModel): void {
    this.model = model;
    this.activatedAt = this.now();
    this.options.onActivated?.();
  }

  running(): LoadedModel {
    if (this.model === null) throw atollError('NO_MODEL', 'no model is active');
    return this.model;
  }

  private enforceConfirmation(): void {
    const limit = this.options.confirmTimeoutMs;
    if (limit === undefined || this.slots.active?.pending !== true || this.now() - this.activatedAt < limit) return;
    this.slots.fallBack();
    this.reload();
  }

  /** The model that the slots hold now. */
  reload(): void {
    this.model = null;
    const { active } = this.slots;
    if (active === null) return;
    try {
      this.model = this.load(active);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
    }
  }

  private now(): number {
    return this.options.now?.() ?? performance.now();
  }
}
