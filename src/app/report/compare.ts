// Report of `compare`: text, and a page with plots.

import type { Comparison, TensorComparison } from '../../evaluate/index.js';
import { withActions } from '../advice/compare-advice.js';
import { barPlot, escapeHtml, pageOf } from './html.js';
import { percentText, table } from './text.js';

const nameLength = 36;

const figure = (value: number | null, digits: number): string => (value === null ? '-' : value.toFixed(digits));
const shortName = (name: string): string => (name.length > nameLength ? `...${name.slice(3 - nameLength)}` : name);

const labelOf = ({ op, operator, name }: Pick<TensorComparison, 'name' | 'op' | 'operator'>): string =>
  `${operator === null ? '' : `${operator} `}${op ?? 'input'} ${shortName(name)}`;

export function compareReport(result: Comparison): string {
  const rows = result.tensors.map((tensor): string[] => [
    tensor.operator === null ? '-' : String(tensor.operator),
    tensor.op ?? 'input',
    shortName(tensor.name),
    figure(tensor.rmsePerScale, 3),
    figure(tensor.signalToNoise, 2),
    figure(tensor.cosine, 5),
    percentText(tensor.saturation, 2),
  ]);
  const worst = withActions(result.worst).map(
    (tensor, i) => `${i + 1}. ${labelOf(tensor)}\n   ${tensor.advice.action}`,
  );
  return [
    table(rows, ['#', 'operator', 'tensor', 'RMSE/scale', 'SNR dB', 'cosine', 'saturated']),
    '',
    summaryOf(result),
    ...(worst.length === 0 ? [] : ['', 'worst first:', ...worst]),
  ].join('\n');
}

function summaryOf({ signalToNoise, agreement, samples, dataset }: Comparison): string {
  if (agreement === null) return `no real-valued output to compare (${samples} samples of ${dataset})`;
  const ratio = signalToNoise === null ? 'equal outputs' : `outputs: SNR ${signalToNoise.toFixed(2)} dB`;
  return (
    `${ratio}, the largest is the same for ${percentText(agreement)} of ${samples} samples of ${dataset} ` +
    '(rounding alone gives RMSE/scale 0.289)'
  );
}

/** A self-contained page. */
export function comparePage(result: Comparison, files: { readonly first: string; readonly second: string }): string {
  const points = (figureOf: (tensor: TensorComparison) => number | null): { label: string; value: number | null }[] =>
    result.tensors.map((tensor) => ({ label: labelOf(tensor), value: figureOf(tensor) }));
  const header = ['#', 'operator', 'tensor', 'min', 'max', 'scale', 'RMSE/scale', 'SNR dB', 'cosine', 'saturated'];
  const rows = result.tensors.map((tensor) => [
    tensor.operator === null ? '' : String(tensor.operator),
    tensor.op ?? 'input',
    tensor.name,
    tensor.min.toPrecision(4),
    tensor.max.toPrecision(4),
    tensor.scale === null ? '-' : tensor.scale.toPrecision(4),
    figure(tensor.rmsePerScale, 3),
    figure(tensor.signalToNoise, 2),
    figure(tensor.cosine, 5),
    percentText(tensor.saturation, 2),
  ]);
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return pageOf(`${files.first} and ${files.second}`, [
    `<p>${escapeHtml(summaryOf(result))}</p>`,
    '<h2>Worst first</h2>',
    `<ol>${withActions(result.worst)
      .map((tensor) => `<li><code>${escapeHtml(labelOf(tensor))}</code><br>${escapeHtml(tensor.advice.action)}</li>`)
      .join('')}</ol>`,
    '<h2>Signal to noise, dB</h2>',
    barPlot(
      points(({ signalToNoise }) => signalToNoise),
      { digits: 1 },
    ),
    '<h2>RMSE / scale</h2>',
    barPlot(
      points(({ rmsePerScale }) => rmsePerScale),
      { digits: 2, mark: { value: 0.289, label: 'rounding alone' } },
    ),
    '<h2>Saturated values, %</h2>',
    barPlot(
      points(({ saturation }) => 100 * saturation),
      { digits: 2 },
    ),
    '<h2>All tensors</h2>',
    `<div class="wide"><table>${cells(header, 'th')}${rows.map((row) => cells(row, 'td')).join('')}</table></div>`,
  ]);
}
