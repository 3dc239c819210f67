// Report of `advise`: text, and a page with a plot.

import type { Advised, Trial } from '../../optimize/advise.js';
import { escapeHtml, pageOf, scatterPlot } from './html.js';
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

function rowsOf({ trials, recommended }: Advised): string[][] {
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

const header = ['', 'scheme', 'size', 'arena', 'latency', 'accuracy', 'loss', 'target'];

export function adviseReport(result: Advised, command: string | null): string {
  const { target, decisions, float, recommended, why } = result;
  return [
    ...decisions.map(({ question, answer }) => `${question} ${answer}`),
    '',
    `${target}; float model: ${accuracyText(float.metric, float.value)} (${float.metric}, ${float.samples} samples)`,
    '',
    table(rowsOf(result), header),
    '',
    '* no other fitting candidate is better in size, latency and accuracy; latencies are estimates',
    recommended === null ? why : `> ${recommended}: ${why}`,
    ...(command === null ? [] : ['', command]),
  ].join('\n');
}

export function advisePage(result: Advised, command: string | null): string {
  const { target, decisions, recommended, why, float } = result;
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  const point = ({ candidate, latencyMs, accuracy, bytes, fits, onFront }: Trial) => ({
    label: candidate.name,
    x: latencyMs?.value ?? null,
    y: accuracy === null ? null : accuracy.value,
    size: bytes ?? 0,
    marked: candidate.name === recommended,
    hollow: !fits,
    joined: onFront,
  });
  return pageOf(`Which scheme for ${target}`, [
    `<ul>${decisions
      .map(({ question, answer }) => `<li>${escapeHtml(question)} ` + `${escapeHtml(answer)}</li>`)
      .join('')}</ul>`,
    `<p>${escapeHtml(recommended === null ? why : `${recommended}: ${why}`)}</p>`,
    ...(command === null ? [] : [`<p><code>${escapeHtml(command)}</code></p>`]),
    `<h2>Accuracy (${escapeHtml(float.metric)}) over latency (ms, estimate)</h2>`,
    scatterPlot(result.trials.map(point), { line: { y: float.value, label: 'float model' } }),
    '<p>Area: size of the file. Hollow circles do not fit. The line connects candidates that no other beats.</p>',
    '<h2>All candidates</h2>',
    `<div class="wide"><table>${cells(header, 'th')}${rowsOf(result)
      .map((row) => cells(row, 'td'))
      .join('')}</table></div>`,
  ]);
}
