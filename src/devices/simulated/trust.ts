import { faultOfSignature, type SlotImage, type VerifyingKey } from '../bundle/index.js';
import { atollStatusError } from './status-error.js';

/**
 * @param floor minimum counter
 * @throws StatusError SIGNATURE_REQUIRED, SIGNATURE_INVALID, COUNTER_TOO_LOW
 */
export function requireTrust({ trailer }: SlotImage, keys: readonly VerifyingKey[], floor: number): void {
  if (trailer === null || trailer.signature === null)
    throw atollStatusError('SIGNATURE_REQUIRED', 'this device accepts signed images only');
  const fault = faultOfSignature(trailer.signature, trailer.encodedManifest, keys);
  if (fault !== null) throw atollStatusError('SIGNATURE_INVALID', fault);
  const { counter = 0 } = trailer.manifest;
  if (counter < floor)
    throw atollStatusError('COUNTER_TOO_LOW', `the image has counter ${counter}; the minimum is ${floor}`);
}
