// Report of `deploy`.

import type { DeployResult } from '../deploy.js';
import { budgetText } from './bar.js';
import { gateRow } from './gates.js';
import { uploadText } from './push.js';
import { bytesText, metricText, millisecondsText, percentText, table } from './text.js';

/** The result of a deployment as text. */
export function deployReport(result: DeployResult): string {
  const { accuracy, check, latencyMs, agreement, sizes, push } = result;
  const rows: [string, string][] = [];
  if (accuracy !== null) {
    const of = (value: number | null): string => (value === null ? '-' : metricText(accuracy.metric, value));
    rows.push([
      `accuracy (${accuracy.metric})`,
      `float ${of(accuracy.float)}   int8 ${of(accuracy.host)}   on device ${of(accuracy.device)}   ` +
        `(${accuracy.samples} samples)`,
    ]);
  }
  for (const gate of result.gates) rows.push(gateRow(gate, 'NOT KEPT, forced'));
  rows.push([
    'size',
    `${bytesText(sizes.inputModelBytes)} -> ${bytesText(sizes.modelBytes)} ` +
      `(${percentText(sizes.modelBytes / sizes.inputModelBytes, 0)})`,
  ]);
  const { slotBytes, arenaBytes } = check.memory.budgets;
  if (slotBytes !== null) rows.push(['flash slot', budgetText(sizes.slotImageBytes, slotBytes)]);
  rows.push(['uploaded', uploadText(push.image)]);
  if (check.memory.arenaBytes !== null) rows.push(['arena', budgetText(check.memory.arenaBytes, arenaBytes)]);
  if (latencyMs !== null)
    rows.push([
      'latency',
      `${millisecondsText(latencyMs.median)} median, ${millisecondsText(latencyMs.p95)} p95 (${latencyMs.basis})`,
    ]);
  const outputs =
    agreement.samples === 0 ? '' : `${agreement.equalSamples} of ${agreement.samples} outputs bit-identical, `;
  rows.push(['device = simulator', `${outputs}challenge ${agreement.challenge ? 'answered' : 'FAILED'}`]);
  rows.push(['self-test', `${push.selfTest.vectors - push.selfTest.failed} of ${push.selfTest.vectors} vectors`]);
  rows.push(['model on device', `${push.model.slice(0, 16)}..., ${push.state}`]);
  return (
    `${result.name} on ${result.target} (${result.device})\n\n${table(rows)}\n\nwrote ${result.files.model}\n    ` +
    `  ${result.files.slotImage}`
  );
}
