// A user's word to a rollout: the agent that leads it takes it; where none does, this process leads, so that the word
// is kept.

import { type AgentOptions, leadRollout } from './agent.js';
import { type FleetBroker, machineClock, sleep } from './broker.js';
import { defaultLeaseMs, LeaseWatch } from './lease.js';
import type { RolloutCommand, RolloutRow, RolloutStore } from './store/index.js';

const pollMs = 200;

/**
 * @param connect called only where no agent leads: this one then goes on like any
 * @returns the rollout after the word was taken, or after it was led to its end or rest
 * @throws what leadRollout throws
 */
export async function submitCommand(
  store: RolloutStore,
  no: number,
  request: RolloutCommand,
  connect: () => Promise<{ readonly broker: FleetBroker; readonly fleet: string; readonly close: () => Promise<void> }>,
  options: AgentOptions = {},
): Promise<RolloutRow> {
  const { clock = machineClock, leaseMs = defaultLeaseMs, signal } = options;
  const n = await store.request(no, request);
  const watch = new LeaseWatch(clock, leaseMs);
  for (;;) {
    signal?.throwIfAborted();
    if ((await store.requests(no)).every((waiting) => waiting.n !== n)) return store.rollout(no);
    if (watch.isGone(await store.lease(no))) break;
    await sleep(clock, pollMs);
  }
  const { broker, fleet, close } = await connect();
  try {
    return await leadRollout(store, broker, fleet, no, {
      ...options,
      ...(request.kind === 'pause' ? { rest: 'paused' } : {}),
    });
  } finally {
    await close();
  }
}
