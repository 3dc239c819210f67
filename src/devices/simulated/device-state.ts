import { budgetOf, type Target } from '../../targets/index.js';
import type { DeviceEngine } from './device-engine.js';
import type { Faults } from './faults.js';
import type { LoadedModel } from './loaded-model.js';
import type { Slot, Slots } from './slots.js';
import type { Tensors } from './tensors.js';

export interface PendingUpload {
  /** Bytes so far. */
  readonly received: number;
  readonly add: (data: Uint8Array) => void;
}

/** What the statistics group tells, since the device was made. */
export const counterNames = ['inferences', 'selftests_passed', 'selftests_failed', 'resets'] as const;
export type Counter = (typeof counterNames)[number];

/** What the handlers of the commands see of the device. */
export interface DeviceState {
  readonly id: string;
  readonly target: Target;
  readonly engine: DeviceEngine;
  readonly slots: Slots;
  readonly faults: Faults;
  readonly maxPacketBytes: number;
  readonly buffers: number;
  /** How many bytes of data fit an answer. */
  readonly chunkBytes: number;
  /** Length that the upload under way announced; lost by a reset. */
  expectedBytes: number | null;
  /** The compressed upload under way; lost by a reset. */
  compressed: PendingUpload | null;
  /** Longest block of a compressed upload that the device has memory for; null where it takes none. */
  readonly inflateBytes: number | null;
  /** Only signed images are run. */
  readonly hasKey: boolean;
  /** Adds to a counter of the statistics group. */
  readonly count: (counter: Counter, by: number) => void;
  readonly counters: Readonly<Record<Counter, number>>;
  /** What a power cycle does: RAM is lost, flash stays, an unconfirmed model counts one attempt more. */
  readonly reset: () => void;
  /** Ends every connection, as pulling the plug does. */
  readonly unplug: () => void;
  /** Resets after the answer to this request is sent. */
  readonly resetSoon: () => void;
  /** Loads the model of a slot without making it the active one. @throws StatusError */
  readonly load: (slot: Slot) => Promise<LoadedModel>;
  readonly useModel: (model: LoadedModel) => void;
  /** The active model. @throws StatusError NO_MODEL */
  readonly running: () => Promise<LoadedModel>;
  /**
   * Its inputs and outputs, as who asks has left them.
   * @throws StatusError NO_MODEL; HASH_MISMATCH where somebody else has activated another one since
   */
  readonly tensors: () => Promise<Tensors>;
}

/** Where the target's file knows no flash (an accelerator's host), a slot ends here. */
const defaultSlotBytes = 64 * 1024 * 1024;

export function slotBytesOf(target: Target): number {
  return budgetOf(target).slotBytes ?? defaultSlotBytes;
}
