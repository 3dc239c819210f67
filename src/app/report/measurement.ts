// Report of measurements on a device.

import type { OperatorTicks, RunMeasurement } from '../../devices/client/index.js';
import { millisecondsText, percentText } from './text.js';

/** Number of slowest operators that are listed. */
const named = 3;

export function measurementLines({
  agreement,
  latencyMs,
  operators,
}: RunMeasurement & { readonly operators: readonly OperatorTicks[] | null }): string[] {
  const lines = [
    agreement === null ? 'outputs were not compared: the uncompiled model is unknown' : agreementLine(agreement),
    `latency first ${millisecondsText(latencyMs.first)}, then ${millisecondsText(latencyMs.steady.median)} ` +
      `median, ${millisecondsText(latencyMs.steady.p95)} p95 in ${latencyMs.runs} runs (${latencyMs.basis})`,
  ];
  const total = operators?.reduce((sum, { ticks }) => sum + ticks, 0) ?? 0;
  if (operators === null || total === 0) return lines;
  const byTime = operators.map((operator, index) => ({ ...operator, index })).sort((a, b) => b.ticks - a.ticks);
  const slowest = byTime
    .slice(0, named)
    .map(
      ({ index, op, latencyMs: ms, ticks }) =>
        `${index} ${op} ${millisecondsText(ms)} (${percentText(ticks / total, 0)})`,
    );
  return [...lines, `slowest operators: ${slowest.join(', ')}`];
}

function agreementLine(agreement: NonNullable<RunMeasurement['agreement']>): string {
  const { samples, equalSamples, kernelProfile, lsbHistogram, elements, maxLsb } = agreement;
  const differing = Object.entries(lsbHistogram).filter(([difference]) => difference !== '0');
  const distances = differing
    .map(([difference, count]) => `${percentText(count / elements, 2)} by ${difference}`)
    .join(', ');
  const verdict = agreement.agrees ? 'within the agreement of its target' : 'NOT within the agreement of its target';
  const exact = `${equalSamples} of ${samples} outputs equal the simulator's (${kernelProfile}) to the last bit`;
  return maxLsb === 0 ? exact : `${exact}; elements that differ: ${distances} LSB, ${verdict}`;
}
