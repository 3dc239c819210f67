import { fail } from '../../../base/errors.js';
import { connectToBroker, fleetOf, parseBrokerAddress } from '../../../devices/mqtt/index.js';
import { type RolloutCommand, type RolloutRow, submitCommand } from '../../../fleet/index.js';
import type { Context, Outcome } from '../verb.js';
import { outcomeOf, showing } from './lead.js';
import type { RolloutOptions } from './options.js';
import { findRollout, withStore } from './store.js';

export function pauseRollout(
  context: Context,
  name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  return say(context, name, options, (row) => {
    refuseUnless(row, ['running', 'planned', 'paused'], 'it has ended');
    return { kind: 'pause' };
  });
}

export function resumeRollout(
  context: Context,
  name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  return say(context, name, options, (row) => {
    refuseUnless(row, ['running', 'planned', 'paused'], 'it has ended');
    return { kind: 'resume' };
  });
}

export function overruleRollout(
  context: Context,
  name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  return say(context, name, options, (row) => {
    refuseUnless(row, ['paused'], 'no gate has paused it');
    if (row.state.by !== 'gate')
      throw fail('ROLLOUT_NOT_NOW', { rollout: row.name, reason: 'no gate has paused it; use `resume` to continue' });
    return { kind: 'overrule' };
  });
}

export function abortRollout(
  context: Context,
  name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  const rollBack = options.rollBack === true;
  return say(context, name, options, (row) => {
    refuseUnless(
      row,
      ['running', 'planned', 'paused', ...(rollBack ? (['done'] as const) : [])],
      rollBack ? 'it is stopped' : 'it has ended',
    );
    if (rollBack && row.previous === null)
      throw fail('ROLLOUT_NOT_NOW', { rollout: row.name, reason: 'the previous bundle is unknown' });
    return { kind: 'abort', rollBack };
  });
}

export function retryRollout(
  context: Context,
  name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  return say(context, name, options, (row) => {
    refuseUnless(row, ['running', 'paused', 'done'], 'it is stopped');
    return { kind: 'retry', ids: options.id ?? null };
  });
}

function refuseUnless(row: RolloutRow, phases: readonly RolloutRow['state']['phase'][], reason: string): void {
  if (!phases.includes(row.state.phase)) throw fail('ROLLOUT_NOT_NOW', { rollout: row.name, reason });
}

/** Submits the command to the agent that leads the rollout; if none leads, this process does. */
async function say(
  context: Context,
  name: string | null,
  options: RolloutOptions,
  requestFor: (row: RolloutRow) => RolloutCommand,
): Promise<Outcome<'rollout'>> {
  return withStore(options, async (store) => {
    const row = await findRollout(store, name, options);
    const request = requestFor(row);
    const address = parseBrokerAddress(options.fleet ?? row.uri);
    const connect = async () => {
      const broker = await connectToBroker(address);
      return { broker, fleet: fleetOf(address), close: () => broker.close() };
    };
    const after = await submitCommand(store, row.no, request, connect, showing(context, row));
    const outcome = await outcomeOf(store, after, options);
    // The user asked for the pause or the end.
    return request.kind === 'pause' || request.kind === 'abort' ? { ...outcome, exitCode: 0 } : outcome;
  });
}
