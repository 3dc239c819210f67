// Runs several tasks at once and yields their results in order.

import { defined } from '../base/checked.js';

/**
 * Starts `work` on every item, at most `concurrency` at a time, and yields the results in order. If one fails or the
 * consumer stops, running tasks are awaited and their results dropped.
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  concurrency: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const inFlight: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // The consumer gets the error when it is this task's turn; until then it is not unhandled.
      result.catch(() => undefined);
      inFlight.push(result);
      if (inFlight.length >= concurrency) yield await defined(inFlight.shift());
    }
    while (inFlight.length > 0) yield await defined(inFlight.shift());
  } finally {
    await Promise.allSettled(inFlight);
  }
}
