// Inference on the host blocks the event loop; long loops of it must let signals, timers and packets through.

import { setImmediate } from 'node:timers/promises';

const sliceMs = 50;

/** A function to await between inferences: gives way to other events every so often, and stops where it is aborted. */
export function breather(): (signal?: AbortSignal) => Promise<void> {
  let last = performance.now();
  return async (signal) => {
    if (performance.now() - last >= sliceMs) {
      await setImmediate();
      last = performance.now();
    }
    signal?.throwIfAborted();
  };
}
