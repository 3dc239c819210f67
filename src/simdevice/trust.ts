import { decodeSlotImage, faultOfSignature, type SlotImage, type VerifyingKey } from '../bundle/index.js';
import type { Slot } from './slots.js';
import { atollError } from './status-error.js';

/** @param confirmed the slot whose counter must be reached; null for the active one itself. @throws StatusError SIGNATURE_REQUIRED, SIGNATURE_INVALID, COUNTER_TOO_LOW */
export function requireTrust({ trailer }: SlotImage, keys: readonly VerifyingKey[], confirmed: Slot | null): void {
  if (trailer === null || trailer.signature === null) throw atollError('SIGNATURE_REQUIRED', 'this device runs signed images only');
  const fault = faultOfSignature(trailer.signature, trailer.encodedManifest, keys);
  if (fault !== null) throw atollError('SIGNATURE_INVALID', fault);
  const least = confirmed === null ? 0 : (decodeSlotImage(confirmed.bytes).trailer?.manifest.counter ?? 0);
  const { counter = 0 } = trailer.manifest;
  if (counter < least) throw atollError('COUNTER_TOO_LOW', `the image has counter ${counter}, the active one ${least}`);
}
