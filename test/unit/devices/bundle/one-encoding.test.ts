// An image has one encoding: bytes that say the same in another way are refused, by the host and by the simulated
// device. The C library checks the same vectors.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { faultOfSignature, signPayload } from '../../../../src/devices/bundle/cose.js';
import {
  createKeys,
  decodeSlotImage,
  encodeSlotImage,
  readPrivateKey,
  readPublicKey,
} from '../../../../src/devices/bundle/index.js';

interface Named {
  readonly name: string;
  readonly bytes: string;
}
const { signedSlotImage, otherEncodings } = JSON.parse(
  readFileSync(new URL('../../../../firmware-protocol/vectors.json', import.meta.url), 'utf8'),
) as {
  readonly signedSlotImage: { readonly publicKey: string; readonly image: string };
  readonly otherEncodings: { readonly images: readonly Named[]; readonly signatures: readonly Named[] };
};
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const key = readPublicKey(
  createPublicKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(signedSlotImage.publicKey, 'hex').toString('base64url') },
  })
    .export({ format: 'pem', type: 'spki' })
    .toString(),
  'the key of the vectors',
);
const { trailer } = decodeSlotImage(bytesOf(signedSlotImage.image));
const manifest = trailer?.encodedManifest as Uint8Array;

test('the image itself is accepted, with its signature', () => {
  expect(faultOfSignature(trailer?.signature as Uint8Array, manifest, [key])).toBeNull();
});

describe('images', () => {
  test.each(otherEncodings.images)('$name', ({ bytes }) => {
    expect(() => decodeSlotImage(bytesOf(bytes))).toThrow(expect.objectContaining({ code: 'SLOT_IMAGE_INVALID' }));
  });
});

describe('signatures', () => {
  test.each(otherEncodings.signatures)('$name', ({ bytes }) => {
    expect(faultOfSignature(bytesOf(bytes), manifest, [key])).toBe('the signature is not a COSE_Sign1');
  });

  test('an algorithm other than that of the key', () => {
    const signature = Uint8Array.from(trailer?.signature as Uint8Array);
    // The value of label 1 in the protected header: EdDSA (-8) becomes ES256 (-7), in CBOR.
    expect([...signature.subarray(1, 5)]).toEqual([0x43, 0xa1, 0x01, 0x27]);
    signature[4] = 0x26;
    expect(faultOfSignature(signature, manifest, [key])).toBe('its algorithm is not that of its key');
  });

  test('ES256: the lower of the two valid values of s, for any random number of OpenSSL', () => {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const signer = readPrivateKey(createKeys('es256').privateKey, 'key');
    for (let i = 0; i < 20; i++) {
      const signature = signPayload(manifest, signer);
      expect(faultOfSignature(signature, manifest, [signer])).toBeNull();
      const s = BigInt(`0x${Buffer.from(signature.subarray(-32)).toString('hex')}`);
      expect(s <= order / 2n).toBe(true);
      const other = Buffer.concat([
        signature.subarray(0, -32),
        Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex'),
      ]);
      expect(faultOfSignature(other, manifest, [signer])).toBe('the signature has the higher of the two values of s');
    }
  });
});

test('the order of the fields that a caller gives does not change the image', () => {
  const fields = {
    version: '1',
    counter: 7,
    target: 'pico',
    profile: 'tflm-reference',
    agreement: 'exact',
    operators: [9],
    arena: 16,
  } as const;
  const input = { ...fields, operators: [9] };
  const reversed = Object.fromEntries(Object.entries(input).reverse()) as typeof input;
  const model = Uint8Array.of(1, 2, 3);
  expect(encodeSlotImage(model, reversed, [])).toEqual(encodeSlotImage(model, input, []));
});
