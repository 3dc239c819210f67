// The page of a rollout.

import { badHeader, badRow, eventTexts, factTexts, findingsOf, type RolloutReport } from '../rollout-report.js';
import { gateLine, waveHeader, waveRow } from '../rollout-status.js';
import { durationText, percentText } from '../text.js';
import { LinePlot } from './line-plot.js';
import { List, pageText, Table } from './page.js';

/** A rollout as a self-contained HTML page with plots. */
export async function rolloutPage({ summary, devices, events }: RolloutReport): Promise<string> {
  const { bad, confirmedAt, badAt, p95Ms, beforeP95Ms } = await findingsOf(devices);
  const { elapsedMs } = summary;
  return pageText(
    `Rollout ${summary.rollout}`,
    <>
      <List texts={factTexts(summary)} />
      <Table header={waveHeader} rows={summary.waves.map((wave, i) => waveRow(wave, i + 1))} />
      <List texts={summary.gates.map(gateLine)} />
      <h2>Devices over time</h2>
      <LinePlot
        title="Devices over time"
        lines={[
          { label: 'confirmed', colour: 'plain', points: steps(confirmedAt, elapsedMs) },
          { label: 'failed, rolled back, unknown or withdrawn', colour: 'chosen', points: steps(badAt, elapsedMs) },
        ]}
        xText={durationText}
        yText={(count) => String(Math.round(count))}
      />
      {p95Ms.length === 0 ? null : (
        <>
          <h2>Share of devices up to a latency (p95 of each)</h2>
          <LinePlot
            title="Share of devices up to a latency"
            lines={[
              { label: 'new model', colour: 'chosen', points: shares(p95Ms) },
              { label: 'previous model', colour: 'plain', points: shares(beforeP95Ms) },
            ]}
            xText={(ms) => `${ms.toPrecision(3)} ms`}
            yText={percentText}
          />
        </>
      )}
      <h2>Events</h2>
      <List texts={eventTexts(events)} />
      {bad.length === 0 ? null : (
        <>
          <h2>Unfinished devices</h2>
          <Table header={badHeader} rows={bad.map(badRow)} />
        </>
      )}
    </>,
  );
}

/** Cumulative count over time. */
function steps(times: readonly number[], endMs: number): [number, number][] {
  return [
    [0, 0],
    ...times.map((time, i): [number, number] => [time, i + 1]),
    [Math.max(endMs, times.at(-1) ?? 0), times.length],
  ];
}

/** Cumulative share by value. */
function shares(sorted: readonly number[]): [number, number][] {
  return sorted.map((value, i) => [value, (i + 1) / sorted.length]);
}
