// The signature of a bundle: COSE_Sign1 with a detached payload, the encoded manifest. Sources: RFC 9052, 4.2 and 4.4
// (Sig_structure); RFC 9053, 2.1 and 2.2 (ES256: r and s, 32 bytes each; EdDSA).

import { sign, verify } from 'node:crypto';
import { decode, encode } from 'cborg';
import { equalBytes, hex } from '../../base/hashes.js';
import type { KeyAlgorithm, SigningKey, VerifyingKey } from './keys.js';

const algorithmLabel = 1;
const keyIdLabel = 4;
const keyIdBytes = 8;
const signatureBytes = 64;
/** The order of P-256 (SEC 2, 2.4.2). If s is valid, so is n - s: only the lower one is accepted. */
const orderP256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const algorithmIds: Readonly<Record<KeyAlgorithm, number>> = { ed25519: -8, es256: -7 };

/** @param payload the encoded manifest. @returns an encoded COSE_Sign1, untagged */
export function signPayload(payload: Uint8Array, key: SigningKey): Uint8Array {
  const head = protectedHeader(key.algorithm);
  const signature = sign(digestOf(key.algorithm), toBeSigned(head, payload), {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return encodeParts(head, key.id, key.algorithm === 'es256' ? withLowS(signature) : signature);
}

/** Why a signature is not trusted; null if it is. @param keys any of which may have made it */
export function faultOfSignature(
  encoded: Uint8Array,
  payload: Uint8Array,
  keys: readonly VerifyingKey[],
): string | null {
  const parts = partsOf(encoded);
  if (parts === null) return 'the signature is not a COSE_Sign1';
  const { head, id, signature } = parts;
  const key = keys.find((one) => equalBytes(one.id, id));
  if (key === undefined) return 'it is signed by an unknown key';
  if (!equalBytes(head, protectedHeader(key.algorithm))) return 'its algorithm is not that of its key';
  if (key.algorithm === 'es256' && scalarS(signature) > orderP256 / 2n)
    return 'the signature has the higher of the two values of s';
  const genuine = verify(
    digestOf(key.algorithm),
    toBeSigned(head, payload),
    { key: key.key, dsaEncoding: 'ieee-p1363' },
    signature,
  );
  return genuine ? null : 'the signature does not match the manifest';
}

/** Id of the key that a signature names, in hexadecimal; null if it names none. Nothing is verified. */
export function keyIdOf(encoded: Uint8Array): string | null {
  const id = partsOf(encoded)?.id;
  return id === undefined ? null : hex(id);
}

interface SignatureParts {
  readonly head: Uint8Array;
  readonly id: Uint8Array;
  readonly signature: Uint8Array;
}

/** @returns null if it is not a COSE_Sign1 with a detached payload */
function partsOf(encoded: Uint8Array): SignatureParts | null {
  let parts: unknown;
  try {
    parts = decode(encoded, { useMaps: true });
  } catch {
    return null;
  }
  const [head, unprotected, detached, signature] =
    Array.isArray(parts) && parts.length === 4 ? (parts as unknown[]) : [];
  if (
    !(head instanceof Uint8Array && unprotected instanceof Map && detached === null && signature instanceof Uint8Array)
  )
    return null;
  const id: unknown = unprotected.get(keyIdLabel);
  if (!(id instanceof Uint8Array && id.byteLength === keyIdBytes && signature.byteLength === signatureBytes))
    return null;
  // Only one encoding is accepted: no other headers, no duplicates, no longer length encodings.
  return equalBytes(encodeParts(head, id, signature), encoded) ? { head, id, signature } : null;
}

function encodeParts(head: Uint8Array, id: Uint8Array, signature: Uint8Array): Uint8Array {
  return encode([head, new Map([[keyIdLabel, id]]), null, new Uint8Array(signature)]);
}

function scalarS(signature: Uint8Array): bigint {
  return BigInt(`0x${hex(signature.subarray(32))}`);
}

/** @param signature r and s, 32 bytes each */
function withLowS(signature: Uint8Array): Uint8Array {
  const s = scalarS(signature);
  if (s <= orderP256 / 2n) return signature;
  return Buffer.concat([signature.subarray(0, 32), Buffer.from((orderP256 - s).toString(16).padStart(64, '0'), 'hex')]);
}

function protectedHeader(algorithm: KeyAlgorithm): Uint8Array {
  return encode(new Map([[algorithmLabel, algorithmIds[algorithm]]]));
}

function toBeSigned(head: Uint8Array, payload: Uint8Array): Uint8Array {
  return encode(['Signature1', head, new Uint8Array(0), payload]);
}

/** Ed25519 hashes internally. */
function digestOf(algorithm: KeyAlgorithm): string | null {
  return algorithm === 'ed25519' ? null : 'sha256';
}
