// Report of a fleet as a table; for a large fleet, counts and the devices that need attention.

import type { Registry } from '../../fleet/index.js';
import { namedText, table } from './text.js';

export interface ListedMember {
  readonly id: string;
  readonly online: boolean;
  readonly target: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly state: string;
  readonly rollout: string | null;
  /** SHA-256 of the running model, in hexadecimal; null if none runs. */
  readonly model: string | null;
  readonly code: string | null;
}

const maxRows = 40;

/** Ids that have retained messages and that rollouts leave out. */
type Doubtful = Pick<Registry, 'unreadable' | 'neverConnected'>;

export function fleetReport(
  uri: string,
  devices: readonly ListedMember[],
  { unreadable, neverConnected }: Doubtful,
): string {
  const counts = new Map<string, number>();
  for (const { state, target } of devices)
    counts.set(`${target}\n${state}`, (counts.get(`${target}\n${state}`) ?? 0) + 1);
  const online = devices.filter((device) => device.online).length;
  const summary = [...counts].map(([key, count]) => [...key.split('\n'), String(count)]);
  // Failed and offline devices first.
  const rank = ({ state, online: there }: ListedMember): number => (state === 'failed' ? 0 : there ? 2 : 1);
  const shown = [...devices].sort((a, b) => rank(a) - rank(b)).slice(0, maxRows);
  const rows = shown.map(({ id, online: there, target, tags, state, rollout, model, code }) => {
    const names = Object.entries(tags).map(([name, value]) => `${name}=${value}`);
    return [
      id,
      there ? 'online' : 'offline',
      target,
      names.join(' '),
      code === null ? state : `${state} (${code})`,
      rollout ?? '',
      model?.slice(0, 12) ?? 'no model',
    ];
  });
  const more = devices.length - shown.length;
  return [
    `${uri}: ${devices.length} devices, ${online} online`,
    table(summary, ['target', 'state', 'devices']),
    '',
    table(rows, ['device', '', 'target', 'tags', 'state', 'rollout', 'model']),
    ...(more > 0 ? [`and ${more} more: --json has them all`] : []),
    ...(neverConnected.length > 0
      ? [`quarantined because they were never connected: ${namedText(neverConnected, maxRows)}`]
      : []),
    ...(unreadable.length > 0 ? [`unreadable reports of ${namedText(unreadable, maxRows)}`] : []),
  ].join('\n');
}
