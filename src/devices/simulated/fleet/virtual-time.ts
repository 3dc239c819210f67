import { elementAt } from '../../../base/checked.js';

// Time that goes by as fast as events are worked off, in whole milliseconds: what happens at one of them is in the
// order in which it was asked for.

interface Timer {
  readonly at: number;
  readonly n: number;
  run: (() => void) | null;
}

export class VirtualTime {
  private timers: Timer[] = [];
  /** Of these, those that were called off: they are thrown out together. */
  private idle = 0;
  private count = 0;
  /** Somebody waits for a promise that an event has resolved. */
  private awaited = false;

  /** @param now milliseconds since 1970 at its beginning */
  constructor(private time = Date.UTC(2030, 0, 1)) {}

  now(): number {
    return this.time;
  }

  /** @returns what calls it off */
  later(ms: number, run: () => void): () => void {
    const timer: Timer = { at: Math.ceil(this.time + ms), n: this.count++, run };
    this.push(timer);
    return () => {
      if (timer.run === null) return;
      timer.run = null;
      this.idle += 1;
      if (this.idle > this.timers.length / 2) this.compact();
    };
  }

  /** As `later`, for somebody who waits for a promise: before time goes on, they go on. */
  laterAwaited(ms: number, run: () => void): () => void {
    return this.later(ms, () => {
      this.wake();
      run();
    });
  }

  /** An event has resolved a promise: before time goes on, whoever waits for it goes on. */
  wake(): void {
    this.awaited = true;
  }

  /** Until something holds, or nothing is to come any more. @returns whether it holds */
  async until(holds: () => boolean): Promise<boolean> {
    for (this.awaited = true; !holds(); ) {
      const timer = this.pop();
      if (this.awaited && (timer === null || timer.at > this.time)) {
        // Those who go on may want something before it.
        if (timer !== null) this.push(timer);
        this.awaited = false;
        await settled();
        continue;
      }
      if (timer === null) return false;
      const { run } = timer;
      if (run === null) {
        this.idle -= 1;
        continue;
      }
      this.time = timer.at;
      timer.run = null;
      run();
    }
    return true;
  }

  private compact(): void {
    const left = this.timers.filter(({ run }) => run !== null);
    // What is sorted is a heap.
    this.timers = left.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.idle = 0;
  }

  private push(timer: Timer): void {
    const { timers } = this;
    let i = timers.length;
    timers.push(timer);
    for (
      let parent = (i - 1) >> 1;
      i > 0 && isBefore(timer, elementAt(timers, parent));
      i = parent, parent = (i - 1) >> 1
    )
      timers[i] = elementAt(timers, parent);
    timers[i] = timer;
  }

  private pop(): Timer | null {
    const { timers } = this;
    const [first] = timers;
    const last = timers.pop();
    if (first === undefined || last === undefined) return null;
    if (timers.length > 0) this.sink(last);
    return first;
  }

  private sink(timer: Timer): void {
    const { timers } = this;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= timers.length) break;
      if (child + 1 < timers.length && isBefore(elementAt(timers, child + 1), elementAt(timers, child))) child += 1;
      if (!isBefore(elementAt(timers, child), timer)) break;
      timers[i] = elementAt(timers, child);
      i = child;
    }
    timers[i] = timer;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.n < b.n);
}

/** Promises that are resolved are gone on with. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
