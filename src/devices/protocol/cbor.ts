// CBOR maps for SMP. Encoding is definite-length and deterministic; decoding accepts indefinite lengths too, which
// embedded encoders emit.

import { decode, encode } from 'cborg';
import { fail, reasonOf } from '../../base/errors.js';

export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | CborValue[]
  | { readonly [key: string]: CborValue };
export type CborMap = { readonly [key: string]: CborValue };

/** Keys stay in the order of the object, so that packets match the documentation. */
export function encodeMap(map: CborMap): Uint8Array {
  return encode(map, { mapSorter: () => 0 });
}

/**
 * @param where what is decoded, for messages
 * @throws CBOR_MALFORMED for anything but a single map, and for numbers beyond 2^53
 */
export function decodeMap(bytes: Uint8Array, where: string): CborMap {
  let value: unknown;
  try {
    value = decode(bytes, {
      allowBigInt: false,
      allowUndefined: false,
      allowNaN: false,
      allowInfinity: false,
      rejectDuplicateMapKeys: true,
    });
  } catch (error) {
    throw fail('CBOR_MALFORMED', { where, reason: reasonOf(error) }, error);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw fail('CBOR_MALFORMED', { where, reason: 'it is not a map' });
  }
  return value as CborMap;
}
