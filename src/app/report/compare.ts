// Report of `compare`.

import type { Comparison, TensorComparison } from '../../evaluate/index.js';
import { withActions } from '../advice/compare-advice.js';
import { percentText, table } from './text.js';

const nameLength = 36;

export const figure = (value: number | null, digits: number): string => (value === null ? '-' : value.toFixed(digits));
const shortName = (name: string): string => (name.length > nameLength ? `...${name.slice(3 - nameLength)}` : name);

export const labelOf = ({ op, operator, name }: Pick<TensorComparison, 'name' | 'op' | 'operator'>): string =>
  `${operator === null ? '' : `${operator} `}${op ?? 'input'} ${shortName(name)}`;

/** The comparison as text. */
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
    comparisonText(result),
    ...(worst.length === 0 ? [] : ['', 'worst first:', ...worst]),
  ].join('\n');
}

export function comparisonText({ signalToNoise, agreement, samples, dataset }: Comparison): string {
  if (agreement === null) return `no real-valued output to compare (${samples} samples of ${dataset})`;
  const ratio = signalToNoise === null ? 'equal outputs' : `outputs: SNR ${signalToNoise.toFixed(2)} dB`;
  return (
    `${ratio}, the largest is the same for ${percentText(agreement)} of ${samples} samples of ${dataset} ` +
    '(rounding alone gives RMSE/scale 0.289)'
  );
}
