import os from 'node:os';
import path from 'node:path';

/** Where the brokers of others are installed. */
export const brokerFolder = process.env.ATOLL_BROKERS ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'atoll', 'brokers');
