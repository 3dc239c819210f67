// Whether an accelerator is as the driver takes it to be. In goes a device and models to run on it, out comes a verdict
// on each assumption, with what was seen: scripts/check-accelerator.js makes a report of it.

import { type Assumption, type AssumptionResult, assumptions } from './assumptions.js';
import type { Observations } from './probe.js';

export { type Assumption, type AssumptionResult, assumptions } from './assumptions.js';
export { type Observations, type ProbeOptions, probe } from './probe.js';

export interface Finding extends AssumptionResult, Pick<Assumption, 'id' | 'says'> {}

export function findingsOf(seen: Observations): readonly Finding[] {
  return assumptions.map(({ id, says, judge }) => ({ id, says, ...judge(seen) }));
}
