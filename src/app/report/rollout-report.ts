// Report of a whole rollout, as Markdown; pages/rollout.tsx makes a page of the same parts.

import type { DeviceRecord, RolloutEvent, RolloutSummary } from '../../fleet/index.js';
import { quarantineText } from './rollout.js';
import { brokerText, countsText, gateLine, phaseText, waveHeader, waveRow } from './rollout-status.js';
import { devicesText, durationText } from './text.js';

/** What a report of a rollout is made of. */
export interface RolloutReport {
  readonly summary: RolloutSummary;
  readonly devices: AsyncIterable<DeviceRecord>;
  readonly events: readonly { readonly at: number; readonly event: RolloutEvent }[];
}

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

export async function findingsOf(devices: AsyncIterable<DeviceRecord>): Promise<DeviceFindings> {
  const found = {
    confirmedAt: [] as number[],
    badAt: [] as number[],
    p95Ms: [] as number[],
    beforeP95Ms: [] as number[],
    bad: [] as DeviceRecord[],
  };
  for await (const device of devices) {
    const { phase, since, measured, before } = device;
    if (badPhases.has(phase)) {
      found.badAt.push(since);
      if (found.bad.length < maxBad) found.bad.push(device);
    }
    if (phase === 'confirmed') found.confirmedAt.push(since);
    if (measured.p95Ms !== null) found.p95Ms.push(measured.p95Ms);
    if (before.p95Ms !== null) found.beforeP95Ms.push(before.p95Ms);
  }
  for (const list of [found.confirmedAt, found.badAt, found.p95Ms, found.beforeP95Ms]) list.sort((a, b) => a - b);
  return found;
}

/** A rollout as Markdown. */
export async function rolloutMarkdown({ summary, devices, events }: RolloutReport): Promise<string> {
  const { bad } = await findingsOf(devices);
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
    ...factTexts(summary).map((fact) => `- ${fact}`),
    '',
    ...grid(
      waveHeader,
      summary.waves.map((wave, i) => waveRow(wave, i + 1)),
    ),
    '',
    ...summary.gates.map((gate) => `- ${gateLine(gate)}`),
    '',
    '## Events',
    '',
    ...eventTexts(events).map((line) => `- ${line}`),
    ...(bad.length === 0 ? [] : ['', '## Unfinished devices', '', ...grid(badHeader, bad.map(badRow))]),
    '',
  ].join('\n');
}

export function factTexts(summary: RolloutSummary): string[] {
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
export function eventTexts(events: RolloutReport['events']): string[] {
  return events.flatMap(({ at, event }) => {
    const time = new Date(at).toISOString().slice(0, 19).replace('T', ' ');
    if (event.kind === 'wave') return [`${time}: wave ${event.wave + 1} began, ${devicesText(event.devices)}`];
    if (event.kind === 'phase') return [`${time}: ${event.phase}${event.reason === '' ? '' : `, ${event.reason}`}`];
    if (event.kind === 'broker') return [`${time}: ${brokerText(event)}`];
    if (event.kind === 'quarantined') return [`${time}: ${quarantineText(event)}`];
    return event.kind === 'joined' ? [`${time}: ${event.id} joined`] : [];
  });
}

export const badHeader = ['device', 'wave', '', 'code'];

export function badRow({ id, wave, phase, code }: DeviceRecord): string[] {
  return [id, String(wave + 1), phase, code ?? ''];
}
