// Output of a process that leads a rollout: progress while it runs, reports when it ends.

import { writeAtomically } from '../../../base/files/index.js';
import {
  type AgentOptions,
  type RolloutEvent,
  type RolloutRow,
  type RolloutStore,
  type RolloutSummary,
  type RolloutView,
  settledPhases,
  summarize,
} from '../../../fleet/index.js';
import {
  brokerText,
  devicesText,
  quarantineText,
  rolloutJunit,
  rolloutMarkdown,
  rolloutPage,
  rolloutStatusReport,
} from '../../report/index.js';
import type { Context, Outcome } from '../verb.js';
import type { RolloutOptions } from './options.js';

/** Shows the agent's events. */
export function showing({ progress, signal }: Context, row: RolloutRow): AgentOptions {
  return {
    signal,
    onWait: (holder) =>
      progress.note(
        `another agent leads ${row.name} (${holder.split(':').slice(0, 2).join(', process ')}); this one waits`,
      ),
    onStore: (reason) =>
      progress.note(
        reason === null ? 'the store is back' : `${reason}; retrying for ten minutes, no device is notified meanwhile`,
      ),
    onEvent: (event) => {
      const text = eventText(event);
      if (text !== null) progress.note(text);
    },
    onChange: ({ state, counts }: RolloutView) => {
      const total = counts.reduce((sum, wave) => sum + Object.values(wave).reduce((all, count) => all + count, 0), 0);
      const done = counts.reduce(
        (sum, wave) => sum + settledPhases.reduce((all, phase) => all + (wave[phase] ?? 0), 0),
        0,
      );
      progress.update({ step: `wave ${state.wave + 1} of ${counts.length}`, done, total });
    },
  };
}

function eventText(event: RolloutEvent): string | null {
  switch (event.kind) {
    case 'phase':
      return event.reason === '' ? event.phase : `${event.phase}: ${event.reason}`;
    case 'wave':
      return `wave ${event.wave + 1} begins: ${devicesText(event.devices)}`;
    case 'device':
      return event.code === null ? `${event.id}: ${event.phase}` : `${event.id}: ${event.phase} (${event.code})`;
    case 'joined':
      return `${event.id} has joined`;
    case 'quarantined':
      return quarantineText(event);
    case 'broker':
      return brokerText(event);
  }
}

/** The rollout's state and the requested files; exit code 1 if a gate paused it or it was stopped. */
export async function outcomeOf(
  store: RolloutStore,
  row: RolloutRow,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  const summary = await summarize(store, row);
  const files = await writeReports(store, row, summary, options);
  return {
    document: { ...summary, ...(files.length === 0 ? {} : { files }) },
    text: rolloutStatusReport(summary, Date.now()),
    exitCode: summary.by === 'gate' || summary.phase === 'stopped' ? 1 : 0,
  };
}

/** @returns the paths of the files */
export async function writeReports(
  store: RolloutStore,
  row: RolloutRow,
  summary: RolloutSummary,
  { html, markdown, junit }: RolloutOptions,
): Promise<string[]> {
  const files: string[] = [];
  const write = async (file: string | undefined, text: () => Promise<string>): Promise<void> => {
    if (file === undefined) return;
    await writeAtomically(file, await text());
    files.push(file);
  };
  const story = async () => ({
    summary,
    devices: store.devices(row.no),
    events: await store.events(row.no, 0, maxEvents),
  });
  await write(html, async () => rolloutPage(await story()));
  await write(markdown, async () => rolloutMarkdown(await story()));
  await write(junit, async () => rolloutJunit(summary));
  return files;
}

/** Events shown in a report; the log has all of them. */
const maxEvents = 10_000;
