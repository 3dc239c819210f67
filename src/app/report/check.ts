// Report of `check`.

import type { Suggestion } from '../../optimize/suggestions.js';
import type { CheckResult, OperatorPlacement, RuntimeFlash, Target } from '../../targets/index.js';
import { withHints } from '../advice/check-advice.js';
import { suggestionText } from '../advice/suggestion-text.js';
import { budgetText } from './bar.js';
import { bytesText, millisecondsText, percentText, table } from './text.js';

/** The result of a check as text. */
export function checkReport(
  file: string,
  { id, name }: Target,
  checked: CheckResult,
  suggestions: readonly Suggestion[] = [],
): string {
  const result = withHints(checked);
  // A compiled model has no operators to list.
  const compiled = result.reasons.find(({ code }) => code === 'COMPILED');
  if (compiled !== undefined)
    return `${file} cannot be checked for ${id} (${name})\n${compiled.message}\n    ${compiled.hint}`;
  const { memory, latencyMs, energyMicrojoules, operators, npuSubgraphs } = result;
  const { slotBytes, arenaBytes } = memory.budgets;
  const rows: string[][] = [['operators', counted(operators.map(({ op, placed }) => `${op} (${placed})`))]];
  if (npuSubgraphs !== null) {
    const mapped = operators.filter(({ placed }) => placed === 'npu').length;
    rows.push([
      'edge tpu',
      `${mapped} of ${operators.length} operators, in ${npuSubgraphs} ${npuSubgraphs === 1 ? 'part' : 'parts'}`,
    ]);
    rows.push(['parameters', `${bytesText(memory.parameterBytes ?? 0)}${cachedText(memory)}`]);
  }
  if (slotBytes !== null) rows.push(['flash slot', budgetText(memory.flashBytes, slotBytes)]);
  if (memory.runtime !== null) rows.push(['runtime flash', runtimeText(memory.runtime)]);
  if (memory.arenaBytes !== null) {
    rows.push([
      'arena',
      `${budgetText(memory.arenaBytes, arenaBytes)} (planned ${bytesText(memory.headBytes ?? 0)}, persistent ` +
        `${bytesText(memory.tailBytes ?? 0)})`,
    ]);
  }
  if (latencyMs !== null) {
    const corrected =
      latencyMs.measuredModels === 0 ? '' : `, corrected by ${latencyMs.measuredModels} measured model(s)`;
    rows.push(['latency', `${millisecondsText(latencyMs.value)} +-${latencyMs.errorPercent} % (estimate${corrected})`]);
  }
  if (energyMicrojoules !== null)
    rows.push([
      'energy',
      `${(energyMicrojoules.value / 1000).toPrecision(3)} mJ +-${energyMicrojoules.errorPercent} % (estimate)`,
    ]);
  return [
    `${file} ${result.fits ? 'fits' : 'does not fit'} ${id} (${name})`,
    table(rows),
    ...(npuSubgraphs === null ? [] : cpuLines(operators)),
    ...unconfirmedLines(operators),
    ...result.warnings.flatMap(({ code, message, hint }) => [`warning ${code}: ${message}`, `    ${hint}`]),
    ...result.reasons.flatMap(({ message, hint }) => [`no: ${message}`, `    ${hint}`]),
    ...suggestions.map(suggestionLine),
  ].join('\n');
}

const maxOperators = 4;

function runtimeText({ bytes, interpreterBytes, operators }: RuntimeFlash): string {
  const largest = operators
    .slice(0, maxOperators)
    .map(({ op, bytes: size }) => `${op} ${size === null ? 'not measured' : bytesText(size)}`);
  const more = operators.length > maxOperators ? `, ${operators.length - maxOperators} more` : '';
  return `${bytesText(bytes)} (interpreter ${bytesText(interpreterBytes)}, ${largest.join(', ')}${more})`;
}

function suggestionLine(suggestion: Suggestion): string {
  const { arenaBytes, fits } = suggestion;
  const arena = arenaBytes === null ? '' : `: arena ${bytesText(arenaBytes)}`;
  return `${fits ? 'would fit' : 'not enough'}: ${suggestionText(suggestion)}${arena}`;
}

function cachedText({ parameterBytes, cachedParameterBytes: cached }: CheckResult['memory']): string {
  if (cached === null) return '';
  if (cached.min === parameterBytes) return ', all cached';
  if (cached.min === cached.max) return `, ${bytesText(cached.max)} of them cached, the rest sent at every inference`;
  return `, ${bytesText(cached.min)} to ${bytesText(cached.max)} of them cached, the rest sent at every inference`;
}

/** One line per target: first those that the model fits, the fastest on top. */
export function checkAllReport(file: string, results: readonly CheckResult[]): string {
  const rank = ({ fits, latencyMs }: CheckResult): number => (fits ? 0 : 1e9) + (latencyMs?.value ?? 1e8);
  const rows = results
    .toSorted((a, b) => rank(a) - rank(b))
    .map(({ target, fits, memory, latencyMs, reasons }) => [
      target,
      fits ? 'fits' : 'no',
      share(memory.flashBytes, memory.budgets.slotBytes),
      memory.arenaBytes === null ? '-' : share(memory.arenaBytes, memory.budgets.arenaBytes),
      latencyMs === null ? '-' : `${millisecondsText(latencyMs.value)} +-${latencyMs.errorPercent} %`,
      reasons.map(({ code }) => code.toLowerCase()).join(', '),
    ]);
  const fitting = results.filter(({ fits }) => fits).length;
  return (
    `${file} fits ${fitting} of ${results.length} ` +
    `targets\n${table(rows, ['target', '', 'flash slot', 'arena', 'latency', 'why not'])}`
  );
}

function share(bytes: number, budget: number | null): string {
  return budget === null ? '-' : `${bytesText(bytes)} (${percentText(bytes / budget, 0)})`;
}

/** Operators that an accelerator leaves to the CPU, by reason. */
function cpuLines(operators: readonly OperatorPlacement[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const { index, op, reason } of operators)
    if (reason !== null) reasons.set(reason, [...(reasons.get(reason) ?? []), `${index} ${op}`]);
  return [...reasons].map(([reason, list]) => `on the CPU: ${shortened(list)}: ${reason}`);
}

function unconfirmedLines(operators: readonly OperatorPlacement[]): string[] {
  const list = operators.filter(({ unconfirmed }) => unconfirmed);
  return list.length === 0
    ? []
    : [
        `documented, but not confirmed by a compiled model: ${shortened(
          list.map(({ index, op }) => `${index} ` + `${op}`),
        )}`,
      ];
}

const maxListed = 8;

function shortened(list: readonly string[]): string {
  return list.length <= maxListed
    ? list.join(', ')
    : `${list.slice(0, maxListed).join(', ')} and ${list.length - maxListed} more`;
}

function counted(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} x ${name}`).join(', ');
}
