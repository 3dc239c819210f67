import { setTimeout as delay } from 'node:timers/promises';

/** Waits for some milliseconds, or until it is called off. @throws the signal's own reason */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  signal?.throwIfAborted();
}
