// A rollout as tests: one for each wave that was begun, one for each gate, so that a CI shows what stopped it.

import type { RolloutSummary } from '../fleet/index.js';
import { escapeHtml } from './html.js';
import { countsText, gateLine, phaseText } from './rollout-status.js';
import { devicesText } from './text.js';

interface Case {
  readonly name: string;
  /** null: it passed. */
  readonly failure: string | null;
  readonly skipped: boolean;
}

export function rolloutJunit(summary: RolloutSummary): string {
  const { rollout, phase, wave, waves, elapsedMs, changedAt } = summary;
  const stopped = phase !== 'done';
  const cases: Case[] = [
    ...waves.map(({ devices, counts }, i): Case => {
      const here = i + 1 === wave && stopped;
      return { name: `wave ${i + 1}: ${devicesText(devices)}`, failure: here ? `${phaseText(summary)}: ${countsText(counts)}` : null, skipped: i + 1 > wave };
    }),
    ...summary.gates.map((gate): Case => {
      const failed = gate.judgement?.decision === 'fail' || gate.judgement?.decision === 'undecided';
      return { name: gateLine(gate), failure: failed && gate.action !== 'next' ? gateLine(gate) : null, skipped: gate.judgement === null };
    }),
  ];
  const count = (is: (one: Case) => boolean): number => cases.filter(is).length;
  const head = `tests="${cases.length}" failures="${count(({ failure }) => failure !== null)}" skipped="${count(({ skipped }) => skipped)}" time="${(elapsedMs / 1000).toFixed(3)}"`;
  const lines = cases.map(({ name, failure, skipped }) => {
    const inner = failure !== null ? `<failure message="${escapeHtml(failure)}"/>` : skipped ? '<skipped/>' : '';
    return `    <testcase classname="rollout.${escapeHtml(rollout)}" name="${escapeHtml(name)}" time="0">${inner}</testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${head}>`,
    `  <testsuite name="rollout ${escapeHtml(rollout)}" errors="0" timestamp="${new Date(changedAt).toISOString().slice(0, 19)}" ${head}>`,
    ...lines,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}
