import { createHash, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeys, readPrivateKey, readPublicKey } from '../../../../src/devices/bundle/index.js';

test.each([
  ['ed25519', 32],
  ['es256', 65],
] as const)('%s: public and private file give the same key, as devices store it', (algorithm, length) => {
  const { privateKey, publicKey } = createKeys(algorithm);
  const own = readPublicKey(publicKey, 'k.public.pem');
  expect(own).toMatchObject({ algorithm });
  expect(own.raw).toHaveLength(length);
  expect(own.id).toEqual(new Uint8Array(createHash('sha256').update(own.raw).digest().subarray(0, 8)));
  for (const other of [readPrivateKey(privateKey, 'k.private.pem'), readPublicKey(privateKey, 'k.private.pem')]) {
    expect(other.algorithm).toBe(algorithm);
    expect(other.raw).toEqual(own.raw);
  }
  if (algorithm === 'es256') expect(own.raw[0]).toBe(4);
});

test('keys of other kinds, and files that are not keys, are refused with the name of the file', () => {
  const pem = (key: { export: (options: { type: 'spki'; format: 'pem' }) => string | Buffer }): string =>
    key.export({ type: 'spki', format: 'pem' }).toString();
  const rsa = pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey);
  expect(() => readPublicKey(rsa, 'r.pem')).toThrow(/r\.pem.*a key of rsa/);
  const wide = pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey);
  expect(() => readPublicKey(wide, 'w.pem')).toThrow(/w\.pem.*a key of P-384/);
  const { publicKey } = createKeys('ed25519');
  expect(() => readPrivateKey(publicKey, 'p.pem')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }));
  expect(() => readPublicKey('text', 't.pem')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }));
});
