// Transports carry SMP packets between host and device; one file each, all with the same interface.

export { inProcessPair } from './in-process.js';
export type { Transport } from './transport.js';
