// Checks whether an accelerator behaves as the driver assumes. Takes a device and models to run on it; returns a
// verdict on each assumption with the observations. scripts/check-accelerator.js writes a report.

import { type Assumption, type AssumptionResult, assumptions } from './assumptions.js';
import type { Observations } from './probe.js';

export { type Assumption, type AssumptionResult, assumptions } from './assumptions.js';
export { type Observations, type ProbeOptions, probe } from './probe.js';

export interface Finding extends AssumptionResult, Pick<Assumption, 'id' | 'says'> {}

export function findingsOf(seen: Observations): readonly Finding[] {
  return assumptions.map(({ id, says, judge }) => ({ id, says, ...judge(seen) }));
}
