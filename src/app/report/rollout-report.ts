// Report of a whole rollout: Markdown, and a page with plots.

import type { DeviceRecord, RolloutEvent, RolloutSummary } from '../../fleet/index.js';
import { escapeHtml, pageOf } from './html.js';
import { linePlot, type PlotLine } from './line-plot.js';
import { quarantineText } from './rollout.js';
import { brokerText, countsText, gateLine, phaseText, waveRow } from './rollout-status.js';
import { devicesText, durationText, percentText } from './text.js';

export interface RolloutReport {
  readonly summary: RolloutSummary;
  readonly devices: AsyncIterable<DeviceRecord>;
  readonly events: readonly { readonly at: number; readonly event: RolloutEvent }[];
}

const waveHeads = [
  'wave',
  'devices',
  'confirmed',
  'under way',
  'waiting',
  'bad',
  'p95 latency',
  'before',
  'accuracy',
  'before',
];
const maxBad = 100;

/** Data of single devices for the report. */
interface DeviceFindings {
  /** When each device finished, on the rollout's clock. */
  readonly confirmedAt: readonly number[];
  readonly badAt: readonly number[];
  /** Milliseconds, sorted, with the new model and with the previous one. */
  readonly p95Ms: readonly number[];
  readonly beforeP95Ms: readonly number[];
  readonly bad: readonly DeviceRecord[];
}

const badPhases = new Set<DeviceRecord['phase']>(['failed', 'rolled-back', 'unknown', 'withdrawn']);

async function read(devices: AsyncIterable<DeviceRecord>): Promise<DeviceFindings> {
  const told = {
    confirmedAt: [] as number[],
    badAt: [] as number[],
    p95Ms: [] as number[],
    beforeP95Ms: [] as number[],
    bad: [] as DeviceRecord[],
  };
  for await (const device of devices) {
    const { phase, since, measured, before } = device;
    if (badPhases.has(phase)) {
      told.badAt.push(since);
      if (told.bad.length < maxBad) told.bad.push(device);
    }
    if (phase === 'confirmed') told.confirmedAt.push(since);
    if (measured.p95Ms !== null) told.p95Ms.push(measured.p95Ms);
    if (before.p95Ms !== null) told.beforeP95Ms.push(before.p95Ms);
  }
  for (const list of [told.confirmedAt, told.badAt, told.p95Ms, told.beforeP95Ms]) list.sort((a, b) => a - b);
  return told;
}

export async function rolloutMarkdown({ summary, devices, events }: RolloutReport): Promise<string> {
  const { bad } = await read(devices);
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const grid = (heads: readonly string[], rows: readonly (readonly string[])[]): string[] => [
    row(heads),
    row(heads.map(() => '---')),
    ...rows.map(row),
  ];
  return [
    `# Rollout ${summary.rollout}`,
    '',
    ...facts(summary).map((fact) => `- ${fact}`),
    '',
    ...grid(
      waveHeads,
      summary.waves.map((wave, i) => waveRow(wave, i + 1)),
    ),
    '',
    ...summary.gates.map((gate) => `- ${gateLine(gate)}`),
    '',
    '## Events',
    '',
    ...happened(events).map((line) => `- ${line}`),
    ...(bad.length === 0
      ? []
      : ['', '## Unfinished devices', '', ...grid(['device', 'wave', '', 'code'], bad.map(badRow))]),
    '',
  ].join('\n');
}

export async function rolloutPage({ summary, devices, events }: RolloutReport): Promise<string> {
  const { bad, confirmedAt, badAt, p95Ms, beforeP95Ms } = await read(devices);
  const items = (texts: readonly string[]): string =>
    `<ul>${texts.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul>`;
  const cells = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('')}</tr>`;
  const grid = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
    `<div class="wide"><table>${cells('th', heads)}${rows.map((row) => cells('td', row)).join('')}</table></div>`;
  const latencies = [
    { label: 'new model', look: 'chosen', points: shares(p95Ms) },
    { label: 'previous model', look: 'bar', points: shares(beforeP95Ms) },
  ] as const satisfies readonly PlotLine[];
  return pageOf(`Rollout ${summary.rollout}`, [
    items(facts(summary)),
    grid(
      waveHeads,
      summary.waves.map((wave, i) => waveRow(wave, i + 1)),
    ),
    items(summary.gates.map(gateLine)),
    '<h2>Devices over time</h2>',
    linePlot(
      [
        { label: 'confirmed', look: 'bar', points: steps(confirmedAt, summary.elapsedMs) },
        { label: 'failed, rolled back, unknown or withdrawn', look: 'chosen', points: steps(badAt, summary.elapsedMs) },
      ],
      { x: durationText, y: (count) => String(Math.round(count)) },
    ),
    ...(p95Ms.length === 0
      ? []
      : [
          '<h2>Share of devices up to a latency (p95 of each)</h2>',
          linePlot(latencies, { x: (ms) => `${ms.toPrecision(3)} ms`, y: percentText }),
        ]),
    '<h2>Events</h2>',
    items(happened(events)),
    ...(bad.length === 0 ? [] : ['<h2>Unfinished devices</h2>', grid(['device', 'wave', '', 'code'], bad.map(badRow))]),
  ]);
}

function facts(summary: RolloutSummary): string[] {
  const { uri, target, bundle, devices, counts, elapsedMs, createdAt, changedAt } = summary;
  return [
    phaseText(summary),
    `${devicesText(devices)} of ${target} at ${uri}: ${countsText(counts)}`,
    `bundle ${bundle}`,
    `begun ${new Date(createdAt).toISOString()}, last changed ${new Date(changedAt).toISOString()}, led for ` +
      `${durationText(elapsedMs)}`,
  ];
}

/** Without events of single devices, which have a table of their own. */
function happened(events: RolloutReport['events']): string[] {
  return events.flatMap(({ at, event }) => {
    const time = new Date(at).toISOString().slice(0, 19).replace('T', ' ');
    if (event.kind === 'wave') return [`${time}: wave ${event.wave + 1} began, ${devicesText(event.devices)}`];
    if (event.kind === 'phase') return [`${time}: ${event.phase}${event.reason === '' ? '' : `, ${event.reason}`}`];
    if (event.kind === 'broker') return [`${time}: ${brokerText(event)}`];
    if (event.kind === 'quarantined') return [`${time}: ${quarantineText(event)}`];
    return event.kind === 'joined' ? [`${time}: ${event.id} joined`] : [];
  });
}

function badRow({ id, wave, phase, code }: DeviceRecord): string[] {
  return [id, String(wave + 1), phase, code ?? ''];
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
