// The page of `compare`.

import type { Comparison, TensorComparison } from '../../../evaluate/index.js';
import { withActions } from '../../advice/compare-advice.js';
import { comparisonText, figure, labelOf } from '../compare.js';
import { percentText } from '../text.js';
import { BarPlot } from './bar-plot.js';
import { pageText, Table } from './page.js';

const header = ['#', 'operator', 'tensor', 'min', 'max', 'scale', 'RMSE/scale', 'SNR dB', 'cosine', 'saturated'];

/** The comparison as a self-contained HTML page with plots. */
export function comparePage(result: Comparison, files: { readonly first: string; readonly second: string }): string {
  const bars = (figureOf: (tensor: TensorComparison) => number | null) =>
    result.tensors.map((tensor) => ({ label: labelOf(tensor), value: figureOf(tensor) }));
  return pageText(
    `${files.first} and ${files.second}`,
    <>
      <p>{comparisonText(result)}</p>
      <h2>Worst first</h2>
      <ol>
        {withActions(result.worst).map((tensor) => (
          <li>
            <code>{labelOf(tensor)}</code>
            <br />
            {tensor.advice.action}
          </li>
        ))}
      </ol>
      <h2>Signal to noise, dB</h2>
      <BarPlot title="Signal to noise of each tensor" bars={bars(({ signalToNoise }) => signalToNoise)} digits={1} />
      <h2>RMSE / scale</h2>
      <BarPlot
        title="RMSE / scale of each tensor"
        bars={bars(({ rmsePerScale }) => rmsePerScale)}
        digits={2}
        mark={{ value: 0.289, label: 'rounding alone' }}
      />
      <h2>Saturated values, %</h2>
      <BarPlot title="Saturated values of each tensor" bars={bars(({ saturation }) => 100 * saturation)} digits={2} />
      <h2>All tensors</h2>
      <Table header={header} rows={result.tensors.map(rowOf)} />
    </>,
  );
}

function rowOf(tensor: TensorComparison): string[] {
  return [
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
  ];
}
