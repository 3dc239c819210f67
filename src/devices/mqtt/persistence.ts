// Where our broker keeps its messages: in memory, or in a folder as well. aedes-persistence looks at all that is
// retained whenever somebody subscribes, which a fleet does by the thousand: what is retained is found through a tree
// here.

import { Readable } from 'node:stream';
import type { AedesOptions } from 'aedes';
import { fail, reasonOf } from '../../base/errors.js';
import { RetainedTree } from './retained-tree.js';

type Persistence = NonNullable<AedesOptions['persistence']>;

interface Packet {
  readonly topic: string;
  readonly payload: { readonly length: number };
}

/** The part of a persistence that is about retained messages, as aedes 1.2 calls it. */
interface Retaining {
  storeRetained: (packet: Packet) => Promise<void>;
  createRetainedStream: (pattern: string) => Readable;
  createRetainedStreamCombi: (patterns: readonly string[]) => Readable;
}

export interface KeptMessages {
  readonly persistence: Persistence;
  readonly close: () => Promise<void>;
}

/** @param folder null: in memory alone. @throws FILE_NOT_WRITABLE */
export async function openPersistence(folder: string | null): Promise<KeptMessages> {
  if (folder === null) {
    // Its types leave out what it exports.
    const { default: memory } = (await import('aedes-persistence')) as unknown as {
      readonly default: () => Persistence;
    };
    return { persistence: await indexed(memory()), close: async () => undefined };
  }
  const [{ Level }, { default: levelPersistence }] = await Promise.all([
    import('level'),
    import('aedes-persistence-level'),
  ]);
  const database = new Level(folder);
  try {
    await database.open();
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    throw fail('FILE_NOT_WRITABLE', { path: folder, reason: reasonOf(cause ?? error) }, error);
  }
  return { persistence: await indexed(levelPersistence(database)), close: () => database.close() };
}

async function indexed(persistence: Persistence): Promise<Persistence> {
  const tree = new RetainedTree<Packet>();
  const retaining = persistence as unknown as Retaining;
  for await (const packet of retaining.createRetainedStream('#')) tree.set(packet as Packet);
  const store = retaining.storeRetained.bind(persistence);
  retaining.storeRetained = async (packet) => {
    if (packet.payload.length === 0) tree.delete(packet.topic);
    else tree.set({ ...packet });
    await store(packet);
  };
  const matching = function* (patterns: readonly string[]): Iterable<Packet> {
    for (const pattern of patterns) yield* tree.matching(pattern);
  };
  retaining.createRetainedStreamCombi = (patterns) => Readable.from(matching(patterns));
  retaining.createRetainedStream = (pattern) => Readable.from(matching([pattern]));
  return persistence;
}
