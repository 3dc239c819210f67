// Inference on the host blocks the event loop. Loops around it give way to signals, timers and packets.

import { setImmediate } from 'node:timers/promises';

const sliceMs = 50;
let lastYieldMs = performance.now();

/**
 * To be awaited between two steps of a long computation: lets other events run once 50 ms have passed since the last
 * time, whichever computation that was.
 * @throws the reason of the signal once it is aborted
 */
export async function yieldToEventLoop(signal?: AbortSignal): Promise<void> {
  if (performance.now() - lastYieldMs >= sliceMs) {
    await setImmediate();
    lastYieldMs = performance.now();
  }
  signal?.throwIfAborted();
}
