// Report of `advise`.

import type { Advised } from '../../optimize/advise.js';
import { bytesText, millisecondsText, percentText, table } from './text.js';

const firstReason = (reasons: readonly string[]): string => {
  const [first = '', ...more] = reasons;
  const short = first.length > 90 ? `${first.slice(0, 87)}...` : first;
  return more.length === 0 ? short : `${short} (and ${more.length} more)`;
};

function accuracyText(metric: string | undefined, value: number | null): string {
  if (value === null || metric === undefined) return '-';
  if (metric === 'top1' || metric === 'top5' || metric === 'auc') return percentText(value, 1);
  return metric === 'mse' ? value.toPrecision(3) : `${value.toFixed(1)} dB`;
}

export function trialRows({ trials, recommended }: Advised): string[][] {
  return trials.map(({ candidate, bytes, arenaBytes, latencyMs, accuracy, drop, fits, onFront, reasons }) => [
    candidate.name === recommended ? '>' : onFront ? '*' : '',
    candidate.name,
    bytes === null ? '-' : bytesText(bytes),
    arenaBytes === null ? '-' : bytesText(arenaBytes),
    latencyMs === null ? '-' : millisecondsText(latencyMs.value),
    accuracyText(accuracy?.metric, accuracy?.value ?? null),
    accuracyText(accuracy?.metric, drop),
    fits ? 'fits' : firstReason(reasons),
  ]);
}

export const trialHeader = ['', 'scheme', 'size', 'arena', 'latency', 'accuracy', 'loss', 'target'];

/** The result as text: the decisions, a table of candidates, and the recommendation. */
export function adviseReport(result: Advised, command: string | null): string {
  const { target, decisions, float, recommended, why } = result;
  return [
    ...decisions.map(({ question, answer }) => `${question} ${answer}`),
    '',
    `${target}; float model: ${accuracyText(float.metric, float.value)} (${float.metric}, ${float.samples} samples)`,
    '',
    table(trialRows(result), trialHeader),
    '',
    '* no other fitting candidate is better in size, latency and accuracy; latencies are estimates',
    recommended === null ? why : `> ${recommended}: ${why}`,
    ...(command === null ? [] : ['', command]),
  ].join('\n');
}
