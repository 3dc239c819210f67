import { rm } from 'node:fs/promises';
import { Argument, Option } from '@commander-js/extra-typings';
import { hex } from '../../base/hashes.js';
import type { KeyAlgorithm } from '../../devices/bundle/index.js';
import { defineVerb, type Outcome } from './verb.js';

const actions = ['create', 'show'] as const;

export const keysVerb = defineVerb({
  name: 'keys',
  summary: 'create a key pair for signing bundles, or show a key',
  define: (command) =>
    command
      .addArgument(
        new Argument(
          '<action>',
          'create: write NAME.private.pem and NAME.public.pem; show: print the content of a PEM file',
        ).choices(actions),
      )
      .argument('<name>', 'create: name of the pair; show: a PEM file')
      .addOption(
        new Option('--algorithm <algorithm>', 'create: kind of key').choices(['ed25519', 'es256']).default('ed25519'),
      ),
  run: async (_context, [action, name], options) => (action === 'create' ? create(name, options) : show(name)),
});

async function create(name: string, { algorithm }: { readonly algorithm: KeyAlgorithm }): Promise<Outcome<'keys'>> {
  const [{ createKeys, readPublicKey }, { writeNew }] = await Promise.all([
    import('../../devices/bundle/index.js'),
    import('../../base/files/index.js'),
  ]);
  const pair = createKeys(algorithm);
  const files = { privateKey: `${name}.private.pem`, publicKey: `${name}.public.pem` };
  // Never replace a key: devices that have only its public part would accept nothing any more. The private key is
  // written first: the public key can be derived from it, but not the reverse.
  await writeNew(files.privateKey, pair.privateKey, 0o600);
  await writeNew(files.publicKey, pair.publicKey).catch(async (error: unknown) => {
    await rm(files.privateKey, { force: true });
    throw error;
  });
  const key = readPublicKey(pair.publicKey, files.publicKey);
  return {
    document: { ...files, algorithm: key.algorithm, keyId: hex(key.id) },
    text:
      `${files.privateKey}: keep it secret and do not lose it: anyone who has this key can run code on your ` +
      `devices\n${files.publicKey}: for the devices; ${key.algorithm}, id ${hex(key.id)}`,
  };
}

async function show(file: string): Promise<Outcome<'keys'>> {
  const [{ readPublicKey }, { readText }] = await Promise.all([
    import('../../devices/bundle/index.js'),
    import('../../base/files/index.js'),
  ]);
  const text = await readText(file);
  const key = readPublicKey(text, file);
  const isPrivate = /PRIVATE KEY/.test(text);
  const publicKey = hex(key.raw);
  return {
    document: { file, private: isPrivate, algorithm: key.algorithm, keyId: hex(key.id), publicKey },
    text:
      `${file}: ${isPrivate ? 'private' : 'public'} key, ${key.algorithm}, id ${hex(key.id)}\npublic key ` +
      `${publicKey}`,
  };
}
