import { setTimeout as delay } from 'node:timers/promises';

/** Waits for some milliseconds, or until the signal is aborted. @throws the signal's reason */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  signal?.throwIfAborted();
}
