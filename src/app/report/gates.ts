// Report of limits that were judged.

import type { GateResult } from '../../evaluate/index.js';

/** Label and verdict as a table row. @param broken text for a limit that was exceeded */
export function gateRow({ gate, passed, message }: GateResult, broken = 'NOT KEPT'): [label: string, verdict: string] {
  return [`limit ${gate}`, `${passed ? 'kept' : broken}: ${message}`];
}

/** One line per limit. */
export function gateLines(gates: readonly GateResult[]): string[] {
  return gates.map((gate) => gateRow(gate).join(' '));
}
