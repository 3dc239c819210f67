// Virtual time, in whole milliseconds, that advances as fast as events are handled. Events of the same millisecond run
// in the order in which they were scheduled.

import TinyQueue from 'tinyqueue';

interface Timer {
  readonly at: number;
  readonly n: number;
  run: (() => void) | null;
}

export class VirtualTime {
  private timers = new TinyQueue<Timer>([], inOrder);
  /** Cancelled events among them; they are removed together. */
  private idle = 0;
  private count = 0;
  /** Set if an event has resolved a promise that is awaited. */
  private awaited = false;

  /** @param now initial time in milliseconds since 1970 */
  constructor(private time = Date.UTC(2030, 0, 1)) {}

  now(): number {
    return this.time;
  }

  /** @returns a function that cancels it */
  later(ms: number, run: () => void): () => void {
    const timer: Timer = { at: Math.ceil(this.time + ms), n: this.count++, run };
    this.timers.push(timer);
    return () => {
      if (timer.run === null) return;
      timer.run = null;
      this.idle += 1;
      if (this.idle > this.timers.length / 2) this.compact();
    };
  }

  /** Like `later`, for code that awaits a promise: it continues before time advances. */
  laterAwaited(ms: number, run: () => void): () => void {
    return this.later(ms, () => {
      this.wake();
      run();
    });
  }

  /** An event has resolved a promise: code that awaits it continues before time advances. */
  wake(): void {
    this.awaited = true;
  }

  /** Runs until a condition holds, or no events are left. @returns whether it holds */
  async until(holds: () => boolean): Promise<boolean> {
    for (this.awaited = true; !holds(); ) {
      const timer = this.timers.pop() ?? null;
      if (this.awaited && (timer === null || timer.at > this.time)) {
        // Code that continues may schedule earlier events.
        if (timer !== null) this.timers.push(timer);
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
    this.timers = new TinyQueue(
      this.timers.data.filter(({ run }) => run !== null),
      inOrder,
    );
    this.idle = 0;
  }
}

function inOrder(a: Timer, b: Timer): number {
  return a.at - b.at || a.n - b.n;
}

/** Lets code that awaits resolved promises continue. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
