// Submits a user's command to a rollout: the agent that leads it executes the command; if none leads, this process
// does.

import { type AgentOptions, leadRollout } from './agent.js';
import { type FleetBroker, machineClock, sleep } from './broker.js';
import { defaultLeaseMs, LeaseWatch } from './lease.js';
import type { RolloutCommand, RolloutRow, RolloutStore } from './store/index.js';

const pollMs = 200;

/**
 * Submits a command to the agent that leads a rollout; if none leads, this process carries it out.
 * @param connect called only if no agent leads; this process then leads
 * @returns the rollout after the command was handled, or after it was led to its end or to a pause
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
