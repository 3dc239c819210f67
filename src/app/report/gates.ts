// Limits that were judged, in words.

import type { GateResult } from '../../evaluate/index.js';

/** Label and verdict, as a row of a table. @param broken the word for a limit that was exceeded */
export function gateRow({ gate, passed, message }: GateResult, broken = 'NOT KEPT'): [label: string, verdict: string] {
  return [`limit ${gate}`, `${passed ? 'kept' : broken}: ${message}`];
}

/** One line for each limit. */
export function gateLines(gates: readonly GateResult[]): string[] {
  return gates.map((gate) => gateRow(gate).join(' '));
}
