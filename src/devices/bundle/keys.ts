// Keys that sign bundles: Ed25519 (the default) or ECDSA on P-256, as PEM files that OpenSSL can read.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { fail, reasonOf } from '../../base/errors.js';
import { sha256 } from '../../base/hashes.js';

export const keyAlgorithms = ['ed25519', 'es256'] as const;
/** Signature algorithms: Ed25519, or ECDSA on P-256 with SHA-256. */
export type KeyAlgorithm = (typeof keyAlgorithms)[number];

/** A key pair as PEM files. */
export interface KeyPair {
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** PEM, SubjectPublicKeyInfo. */
  readonly publicKey: string;
}

/** Creates a key pair for signing bundles. */
export function createKeys(algorithm: KeyAlgorithm): KeyPair {
  const { privateKey, publicKey } =
    algorithm === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** A public key and its id. */
export interface VerifyingKey {
  readonly algorithm: KeyAlgorithm;
  readonly key: KeyObject;
  /** As devices store it: 32 bytes for Ed25519, or 65 bytes of an uncompressed point of P-256. */
  readonly raw: Uint8Array;
  /** The first 8 bytes of the SHA-256 of `raw`: COSE's key id. */
  readonly id: Uint8Array;
}

/** A private key with its public part. */
export interface SigningKey extends VerifyingKey {
  readonly privateKey: KeyObject;
}

/**
 * Reads a public key from PEM.
 * @param text PEM of a public key, or of a private key, whose public part is taken
 * @param file for messages
 * @throws KEY_INVALID
 */
export function readPublicKey(text: string, file: string): VerifyingKey {
  return verifyingKey(
    parsed(file, () => createPublicKey(text)),
    file,
  );
}

/**
 * Reads a private key from PEM.
 * @throws KEY_INVALID
 */
export function readPrivateKey(text: string, file: string): SigningKey {
  const privateKey = parsed(file, () => createPrivateKey(text));
  return { ...verifyingKey(createPublicKey(privateKey), file), privateKey };
}

function parsed(file: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (error) {
    throw fail('KEY_INVALID', { path: file, reason: reasonOf(error) }, error);
  }
}

function verifyingKey(key: KeyObject, file: string): VerifyingKey {
  const jwk = key.export({ format: 'jwk' });
  const [x, y] = [jwk.x, jwk.y].map((part) => Buffer.from(part ?? '', 'base64url'));
  const algorithm = jwk.crv === 'Ed25519' ? 'ed25519' : jwk.crv === 'P-256' ? 'es256' : null;
  if (algorithm === null || x === undefined || y === undefined)
    throw fail('KEY_INVALID', { path: file, reason: `a key of ${jwk.crv ?? key.asymmetricKeyType ?? 'another kind'}` });
  const raw = new Uint8Array(algorithm === 'ed25519' ? x : Buffer.concat([Uint8Array.of(4), x, y]));
  return { algorithm, key, raw, id: sha256(raw).slice(0, 8) };
}
