// The two slots in flash, which survive a reset. One is active; the other takes uploads. This is the state machine of
// every device here, served, simulated or in a fleet: all rules about what may be written, activated and confirmed.

import { equalBytes, sha256 } from '../../base/hashes.js';
import { decodeSlotImage, type SlotImage } from '../bundle/index.js';
import { atollStatusError } from './status-error.js';

/** A slot of a device: an image and its state. */
export interface Slot {
  /** Bytes written so far. */
  bytes: Uint8Array;
  active: boolean;
  /** Activated and not confirmed yet. */
  pending: boolean;
  confirmed: boolean;
  /** Its self-test has passed since it was written. */
  tested: boolean;
  /** Boots since it was activated. */
  attempts: number;
}

/** Boot attempts without confirmation after which the device returns to the confirmed model. */
export const maxBootAttempts = 3;

/** The two slots of a device, with the rules for what may be written, activated and confirmed. */
export class Slots {
  readonly all: readonly [Slot, Slot] = [emptySlot(), emptySlot()];
  /** The highest counter of any confirmed image; it never decreases. */
  floor = 0;

  get activeIndex(): number | null {
    const index = this.all.findIndex((slot) => slot.active);
    return index < 0 ? null : index;
  }

  get active(): Slot | null {
    return this.all.find((slot) => slot.active) ?? null;
  }

  /** The slot for the next upload: the one that is not active. */
  get inactive(): Slot {
    return this.at(this.activeIndex === 0 ? 1 : 0);
  }

  at(index: number): Slot {
    const slot = this.all[index];
    if (slot === undefined) throw atollStatusError('NO_SUCH_SLOT', `slot ${index} of ${this.all.length}`);
    return slot;
  }

  /** Erases a slot. */
  erase(slot: Slot): void {
    this.requireFree(slot);
    Object.assign(slot, emptySlot());
  }

  append(slot: Slot, data: Uint8Array): void {
    this.requireFree(slot);
    slot.confirmed = false;
    slot.tested = false;
    const { bytes } = slot;
    const end = bytes.byteLength + data.byteLength;
    let storage = new Uint8Array(bytes.buffer, bytes.byteOffset);
    if (storage.byteLength < end) {
      storage = new Uint8Array(Math.max(end, 2 * storage.byteLength));
      storage.set(bytes);
    }
    storage.set(data, bytes.byteLength);
    slot.bytes = storage.subarray(0, end);
  }

  private requireFree(slot: Slot): void {
    if (slot.active) throw atollStatusError('SLOT_IN_USE', 'the active slot cannot be written or erased');
    if (slot.confirmed && this.active?.pending === true)
      throw atollStatusError(
        'SLOT_IN_USE',
        'the device needs this slot to fall back to while the active one is not confirmed',
      );
  }

  /** The minimum counter holds for images that are not active yet. @param counter of an image whose key is trusted */
  requireCounter(slot: Slot, counter: number): void {
    if (!slot.active && counter < this.floor)
      throw atollStatusError('COUNTER_TOO_LOW', `the image has counter ${counter}; the minimum is ${this.floor}`);
  }

  /** @param vectors number of self-test vectors of the image */
  activate(slot: Slot, vectors = 0): void {
    if (vectors > 0 && !slot.tested)
      throw atollStatusError('NOT_TESTED', 'the image has self-test vectors and has not passed them');
    if (slot.active) return;
    // Returning to a confirmed model gives up the pending one, so that there is always a confirmed model to fall back
    // to.
    const back = slot.confirmed && !this.all.some((other) => other !== slot && other.confirmed);
    for (const other of this.all) Object.assign(other, { active: false, pending: false });
    Object.assign(slot, { active: true, pending: !back, confirmed: back, attempts: 0 });
  }

  /** @param counter of the image; 0 if the device has no trusted key */
  confirm(sha: Uint8Array, counter: number): void {
    const slot = this.active;
    if (slot === null) throw atollStatusError('NO_MODEL', 'no model is active');
    if (!equalBytes(sha256(slot.bytes), sha)) throw atollStatusError('HASH_MISMATCH', 'another model is active');
    this.confirmActive(counter);
  }

  confirmActive(counter: number): void {
    if (this.active === null) return;
    Object.assign(this.active, { pending: false, confirmed: true });
    this.floor = Math.max(this.floor, counter);
  }

  /** Counts a boot; gives up on a model that was never confirmed. */
  boot(): void {
    const slot = this.active;
    if (slot === null || !slot.pending) return;
    slot.attempts += 1;
    if (slot.attempts >= maxBootAttempts) this.fallBack();
  }

  /** Returns to the confirmed model, or to none. */
  fallBack(): void {
    const given = this.active;
    if (given === null || !given.pending) return;
    given.active = false;
    given.pending = false;
    given.tested = false;
    const previous = this.all.find((slot) => slot !== given && slot.confirmed);
    if (previous !== undefined) previous.active = true;
  }
}

/** The counter in the image's manifest; 0 if there is none. */
export function counterOf({ trailer }: SlotImage): number {
  return trailer?.manifest.counter ?? 0;
}

/** SHA-256 of the model in a slot; null if the slot is empty. */
export function modelHash(slot: Slot): Uint8Array | null {
  if (slot.bytes.byteLength === 0) return null;
  try {
    return sha256(decodeSlotImage(slot.bytes).model);
  } catch {
    return null;
  }
}

function emptySlot(): Slot {
  return { bytes: new Uint8Array(0), active: false, pending: false, confirmed: false, tested: false, attempts: 0 };
}
