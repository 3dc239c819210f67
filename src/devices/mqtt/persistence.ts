// Storage of the embedded broker: in memory, or in a folder too. aedes-persistence scans all retained messages at every
// subscription, of which a fleet makes thousands; here a tree finds them.

import { Readable } from 'node:stream';
import type { AedesOptions } from 'aedes';
import { fail, reasonOf } from '../../base/errors.js';
import { RetainedTree } from './retained-tree.js';

type Persistence = NonNullable<AedesOptions['persistence']>;

interface Packet {
  readonly topic: string;
  readonly payload: { readonly length: number };
}

/** The interface of retained messages in a persistence, as aedes 1.2 calls it. */
interface Retaining {
  storeRetained: (packet: Packet) => Promise<void>;
  createRetainedStream: (pattern: string) => Readable;
  createRetainedStreamCombi: (patterns: readonly string[]) => Readable;
}

export interface KeptMessages {
  readonly persistence: Persistence;
  readonly close: () => Promise<void>;
}

/** @param folder null: in memory only. @throws FILE_NOT_WRITABLE */
export async function openPersistence(folder: string | null): Promise<KeptMessages> {
  if (folder === null) {
    // Its types omit this export.
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
