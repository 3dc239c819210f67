// SIGINT and SIGTERM: a verb that awaits is aborted and cleans up; one that computes without end has no turn for that,
// so then the signals get their default action, which ends the process at once. Nothing is half-written by that: files
// appear by renaming.

import { onHeartbeat } from '../../simulator/heartbeat.js';

const names = ['SIGINT', 'SIGTERM'] as const;

/**
 * Computing for so long without a turn of the event loop, a signal might not be heard for as long again. Loops of
 * inferences turn more often.
 */
const timeoutMs = 200;

/** Calls back at the first signal, until it is closed. */
export function listenForSignals(heard: () => void): { close(): void } {
  let armed = false;
  let lastTurn = performance.now();
  // What was heard in JavaScript but had no turn yet is lost with the listener, so once work has been long it is given
  // up at its begin.
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
    // The next turn of the event loop, if there is one.
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
