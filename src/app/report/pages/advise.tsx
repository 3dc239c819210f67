// The page of `advise`.

import type { Advised, Trial } from '../../../optimize/advise.js';
import { trialHeader, trialRows } from '../advise.js';
import { List, pageText, Table } from './page.js';
import { ScatterPlot, type ScatterPoint } from './scatter-plot.js';

/** The result as a self-contained HTML page with a plot of accuracy over latency. */
export function advisePage(result: Advised, command: string | null): string {
  const { target, trials, decisions, recommended, why, float } = result;
  const point = ({ candidate, latencyMs, accuracy, bytes, fits, onFront }: Trial): ScatterPoint => ({
    label: candidate.name,
    x: latencyMs?.value ?? null,
    y: accuracy === null ? null : accuracy.value,
    size: bytes ?? 0,
    marked: candidate.name === recommended,
    hollow: !fits,
    joined: onFront,
  });
  return pageText(
    `Which scheme for ${target}`,
    <>
      <List texts={decisions.map(({ question, answer }) => `${question} ${answer}`)} />
      <p>{recommended === null ? why : `${recommended}: ${why}`}</p>
      {command === null ? null : (
        <p>
          <code>{command}</code>
        </p>
      )}
      <h2>Accuracy ({float.metric}) over latency (ms, estimate)</h2>
      <ScatterPlot
        title="Accuracy over latency of each candidate"
        points={trials.map(point)}
        level={{ y: float.value, label: 'float model' }}
      />
      <p>Area: size of the file. Hollow circles do not fit. The line connects candidates that no other beats.</p>
      <h2>All candidates</h2>
      <Table header={trialHeader} rows={trialRows(result)} />
    </>,
  );
}
