// SIGINT and SIGTERM. A verb that awaits is aborted and cleans up. A verb that computes without yielding cannot do
// that, so the signals get their default action, which ends the process at once. Files stay complete: they appear by
// renaming.

import { onHeartbeat } from '../../simulator/heartbeat.js';

const names = ['SIGINT', 'SIGTERM'] as const;

/**
 * After this much computation without a turn of the event loop, a signal might be delayed for as long again. Loops of
 * inferences yield more often.
 */
const timeoutMs = 200;

/** Calls back at the first signal, until it is closed. */
export function listenForSignals(heard: () => void): { close(): void } {
  let armed = false;
  let lastTurn = performance.now();
  // A signal that Node has received but not delivered is lost when the listener is removed, so it is removed at the
  // beginning of long work.
  let retries = timeoutMs;
  const arm = (): void => {
    lastTurn = performance.now();
    if (armed) return;
    armed = true;
    for (const name of names) process.on(name, heard);
  };
  const disarm = (): void => {
    if (!armed) return;
    armed = false;
    retries = 0;
    for (const name of names) process.off(name, heard);
    // Called in the next turn of the event loop, if there is one.
    setImmediate(arm);
  };
  const turns = setInterval(arm, timeoutMs / 4).unref();
  onHeartbeat((now) => {
    if (now - lastTurn > retries) disarm();
  });
  arm();
  return {
    close: () => {
      clearInterval(turns);
      onHeartbeat(null);
      armed = true;
      for (const name of names) process.off(name, heard);
    },
  };
}
