// One agent leads a rollout; others wait. Its lease has a heartbeat that increases with every commit. If a waiting
// agent sees no increase for some time, by its own clock, it takes the lease over. Clocks of different machines are
// never compared, so they may jump.

import { randomBytes } from 'node:crypto';
import os from 'node:os';
import { type Clock, sleep } from './broker.js';
import type { Lease, RolloutStore } from './store/index.js';

/** Time without a heartbeat after which the holder is considered gone. */
export const defaultLeaseMs = 10_000;

export interface LeaseOptions {
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Called once, with the holder of the lease. */
  readonly onWait?: (holder: string) => void;
  /** Called each time that another agent is found to lead. */
  readonly onOther?: () => void;
  readonly signal?: AbortSignal;
}

/** HOST:PID:NONCE. */
export function newHolder(): string {
  return `${os.hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
}

/** Waits until this agent leads. @throws INTERRUPTED */
export async function acquireLease(
  store: RolloutStore,
  no: number,
  holder: string,
  { clock, leaseMs, onWait, onOther, signal }: LeaseOptions,
): Promise<void> {
  const watch = new LeaseWatch(clock, leaseMs);
  for (let waited = false; ; waited = true) {
    signal?.throwIfAborted();
    const lease = await store.lease(no);
    // Its own lease, from before the store was away.
    const gone = lease?.holder === holder || watch.isGone(lease);
    if (gone && (await store.takeLease(no, holder, lease))) return;
    if (!gone) onOther?.();
    if (!gone && !waited && lease !== null) onWait?.(lease.holder);
    await sleep(clock, leaseMs / 20);
  }
}

/** Watches a lease over several reads. */
export class LeaseWatch {
  private seen: Lease | null = null;
  private since: number;

  constructor(
    private readonly clock: Clock,
    private readonly leaseMs: number,
  ) {
    this.since = clock.elapsed();
  }

  /** Whether nobody leads any more. */
  isGone(lease: Lease | null): boolean {
    if (lease === null || isDead(lease.holder)) return true;
    if (lease.holder !== this.seen?.holder || lease.heartbeat !== this.seen.heartbeat)
      this.since = this.clock.elapsed();
    this.seen = lease;
    return this.clock.elapsed() - this.since >= this.leaseMs;
  }
}

/** Whether the holder is a process of this machine that has ended without releasing its lease. */
function isDead(holder: string): boolean {
  const [host, pid] = holder.split(':');
  if (host !== os.hostname() || Number(pid) === process.pid) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
