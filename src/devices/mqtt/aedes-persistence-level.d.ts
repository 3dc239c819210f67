declare module 'aedes-persistence-level' {
  import type { AedesOptions } from 'aedes';
  import type { Level } from 'level';

  export default function levelPersistence(database: Level): NonNullable<AedesOptions['persistence']>;
}
