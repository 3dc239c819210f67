import { faultOfSignature, type SlotImage, type VerifyingKey } from '../bundle/index.js';
import { atollStatusError } from './status-error.js';

/**
 * @throws StatusError SIGNATURE_REQUIRED, SIGNATURE_INVALID
 */
export function requireTrust({ trailer }: SlotImage, keys: readonly VerifyingKey[]): void {
  if (trailer === null || trailer.signature === null)
    throw atollStatusError('SIGNATURE_REQUIRED', 'this device accepts signed images only');
  const fault = faultOfSignature(trailer.signature, trailer.encodedManifest, keys);
  if (fault !== null) throw atollStatusError('SIGNATURE_INVALID', fault);
}
