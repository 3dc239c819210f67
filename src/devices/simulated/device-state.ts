import { budgetOf, type Target } from '../../targets/index.js';
import type { DeviceEngine } from './device-engine.js';
import type { Faults } from './faults.js';
import type { LoadedModel } from './loaded-model.js';
import type { Slot, Slots } from './slots.js';
import type { Tensors } from './tensors.js';

export interface PendingUpload {
  /** Bytes received so far. */
  readonly received: number;
  readonly add: (data: Uint8Array) => void;
}

/** Counters of the statistics group, since the device was created. */
export const counterNames = ['inferences', 'selftests_passed', 'selftests_failed', 'resets'] as const;
export type Counter = (typeof counterNames)[number];

/** The device as the command handlers see it. */
export interface DeviceState {
  readonly id: string;
  readonly target: Target;
  readonly engine: DeviceEngine;
  readonly slots: Slots;
  readonly faults: Faults;
  readonly maxPacketBytes: number;
  readonly buffers: number;
  /** Data bytes that fit into a response. */
  readonly chunkBytes: number;
  /** Announced length of the current upload; lost at a reset. */
  expectedBytes: number | null;
  /** The current compressed upload; lost at a reset. */
  compressed: PendingUpload | null;
  /** Largest block of a compressed upload that the device supports; null if it supports none. */
  readonly inflateBytes: number | null;
  /** Whether only signed images are accepted. */
  readonly hasKey: boolean;
  /** Increments a counter of the statistics group. */
  readonly count: (counter: Counter, by: number) => void;
  readonly counters: Readonly<Record<Counter, number>>;
  /** Power cycle: RAM is lost, flash stays, an unconfirmed model uses up one boot attempt. */
  readonly reset: () => void;
  /** Ends every connection, as unplugging does. */
  readonly unplug: () => void;
  /** Resets after the response to this request is sent. */
  readonly resetSoon: () => void;
  /** Loads the model of a slot without making it the active one. @throws StatusError */
  readonly load: (slot: Slot) => Promise<LoadedModel>;
  readonly useModel: (model: LoadedModel) => void;
  /** The active model. @throws StatusError NO_MODEL */
  readonly running: () => Promise<LoadedModel>;
  /**
   * The inputs and outputs of the active model for this connection.
   * @throws StatusError NO_MODEL; HASH_MISMATCH if another client has activated another model since
   */
  readonly tensors: () => Promise<Tensors>;
}

/** Slot size if the target's file gives no flash size (an accelerator's host). */
const defaultSlotBytes = 64 * 1024 * 1024;

export function slotBytesOf(target: Target): number {
  return budgetOf(target).slotBytes ?? defaultSlotBytes;
}
