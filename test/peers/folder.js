import os from 'node:os';
import path from 'node:path';

/** Where the programs of others that tests talk to are installed. */
export const peerFolder =
  process.env.ATOLL_PEERS ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'atoll', 'peers');
