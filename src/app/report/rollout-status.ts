// Report of a rollout's status.

import type { DevicePhase, RolloutSummary, WaveSummary } from '../../fleet/index.js';
import { budgetBar } from './bar.js';
import { gateText } from './rollout.js';
import { devicesText, durationText, millisecondsText, percentText, table } from './text.js';

const inFlight: readonly DevicePhase[] = ['notified', 'downloading', 'verified', 'pending', 'returning'];
const bad: readonly DevicePhase[] = ['failed', 'rolled-back', 'unknown', 'withdrawn'];

/** @param now milliseconds since 1970 */
export function rolloutStatusReport(summary: RolloutSummary, now: number): string {
  const { rollout, uri, target, bundle, devices, counts, elapsedMs, leftMs, agent, broker, opensAt } = summary;
  const confirmed = counts.confirmed ?? 0;
  return [
    `rollout ${rollout}: ${phaseText(summary)}`,
    `${bundle.slice(0, 12)} to ${devicesText(devices)} of ${target} at ${uri}`,
    '',
    `confirmed ${budgetBar(confirmed, devices)} ${percentText(confirmed / devices)}  ${countsText(counts)}`,
    [
      `led for ${durationText(elapsedMs)}`,
      ...(leftMs === null ? [] : [`about ${durationText(leftMs)} left`]),
      agent === null ? 'no agent leads it' : `by ${agent.replace(':', ', process ')}`,
    ].join(', '),
    ...(broker === null
      ? []
      : [`no connection to the broker for ${durationText(now - broker.since)}: ${broker.reason}; reconnecting`]),
    ...(opensAt === null
      ? []
      : [`no device is notified before the maintenance window opens, in ${durationText(opensAt - now)}`]),
    '',
    table(
      summary.waves.map((wave, i) => waveRow(wave, i + 1)),
      waveHeader,
    ),
    ...(summary.gates.length === 0 ? [] : ['', ...summary.gates.map(gateLine)]),
    ...(summary.phase === 'paused' ? ['', wayOut(summary)] : []),
  ].join('\n');
}

export function phaseText({ phase, reason, by, wave, waves }: RolloutSummary): string {
  const where = phase === 'done' || phase === 'planned' ? '' : `, in wave ${wave} of ${waves.length}`;
  const why = reason === '' ? '' : ` (${reason})`;
  const who = by === 'gate' && phase !== 'paused' ? ', by a gate' : '';
  return `${phase}${where}${why}${who}`;
}

export function brokerText({ connected, reason }: { readonly connected: boolean; readonly reason: string }): string {
  return connected
    ? 'the connection to the broker is restored'
    : `no connection to the broker: ${reason}; the rollout waits for it`;
}

export function countsText(counts: RolloutSummary['counts']): string {
  return Object.entries(counts)
    .map(([phase, count]) => `${count} ${phase}`)
    .join(', ');
}

export const waveHeader = [
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

export function waveRow(
  { devices, counts, p95Ms, beforeP95Ms, accuracy, beforeAccuracy }: WaveSummary,
  wave: number,
): string[] {
  const sum = (phases: readonly DevicePhase[]): string =>
    String(phases.reduce((all, phase) => all + (counts[phase] ?? 0), 0));
  const text = (value: number | null, write: (value: number) => string): string => (value === null ? '' : write(value));
  return [
    String(wave),
    String(devices),
    sum(['confirmed']),
    sum(inFlight),
    sum(['waiting']),
    sum(bad),
    text(p95Ms, millisecondsText),
    text(beforeP95Ms, millisecondsText),
    text(accuracy, percentText),
    text(beforeAccuracy, percentText),
  ];
}

export function gateLine(gate: RolloutSummary['gates'][number]): string {
  const { judgement, failsFrom } = gate;
  const what = gateText(gate);
  if (judgement === null) return `gate: ${what}`;
  const { decision, bad: count, measured } = judgement;
  const limit = failsFrom === null ? '' : `, the wave fails at ${failsFrom}`;
  return `gate: ${what}: ${decision} (${count} bad of ${measured}${limit})`;
}

function wayOut({ rollout, by }: RolloutSummary): string {
  const end = '`abort` stops it, with --roll-back to the previous bundle';
  if (by !== 'gate') return `\`atoll rollout resume ${rollout}\` continues, ${end}`;
  return (
    `\`atoll rollout retry ${rollout}\` and \`resume\` notify failed devices again, and the gate judges again; ` +
    `\`overrule\` continues past this wave; ${end}`
  );
}

export interface ListedRollout {
  readonly rollout: string;
  readonly uri: string;
  readonly target: string;
  readonly phase: string;
  readonly reason: string;
  readonly createdAt: number;
}

export function rolloutListReport(store: string, rollouts: readonly ListedRollout[]): string {
  if (rollouts.length === 0) return `${store} has no rollouts yet`;
  const rows = rollouts.map(({ rollout, uri, target, phase, reason, createdAt }) => {
    return [rollout, phase, target, uri, new Date(createdAt).toISOString().slice(0, 16).replace('T', ' '), reason];
  });
  return table(rows, ['rollout', '', 'target', 'fleet', 'begun (UTC)', '']);
}
