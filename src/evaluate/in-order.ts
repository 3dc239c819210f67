import { defined } from '../base/checked.js';

// Several things under way at once, their results in the order in which they were begun.

/**
 * Begins `work` on every item, at most `concurrency` at a time, and yields the results in order. What is under way when
 * one fails or the consumer stops is waited for, its results are dropped.
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
      // Whoever awaits it in its turn gets the error; until then it is not unhandled.
      result.catch(() => undefined);
      inFlight.push(result);
      if (inFlight.length >= concurrency) yield await defined(inFlight.shift());
    }
    while (inFlight.length > 0) yield await defined(inFlight.shift());
  } finally {
    await Promise.allSettled(inFlight);
  }
}
