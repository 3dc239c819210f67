// A rollout as JUnit tests: one for each wave that began, one for each gate, so that CI shows what stopped it.

import type { RolloutSummary } from '../../fleet/index.js';
import { type JunitCase, junitReport } from './junit.js';
import { countsText, gateLine, phaseText } from './rollout-status.js';
import { devicesText } from './text.js';

export function rolloutJunit(summary: RolloutSummary): string {
  const { rollout, phase, wave, waves, elapsedMs, changedAt } = summary;
  const stopped = phase !== 'done';
  const cases: JunitCase[] = [
    ...waves.map(({ devices, counts }, i): JunitCase => {
      const here = i + 1 === wave && stopped;
      return {
        name: `wave ${i + 1}: ${devicesText(devices)}`,
        failure: here ? `${phaseText(summary)}: ${countsText(counts)}` : null,
        skipped: i + 1 > wave,
      };
    }),
    ...summary.gates.map((gate): JunitCase => {
      const failed = gate.judgement?.decision === 'fail' || gate.judgement?.decision === 'undecided';
      return {
        name: gateLine(gate),
        failure: failed && gate.action !== 'next' ? gateLine(gate) : null,
        skipped: gate.judgement === null,
      };
    }),
  ];
  return junitReport({
    name: `rollout ${rollout}`,
    className: `rollout.${rollout}`,
    cases,
    milliseconds: elapsedMs,
    at: changedAt,
  });
}
