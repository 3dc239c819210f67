// Report of the arena over time: a bar for each operator.

import type { MemoryPlan } from '../../optimize/passes/index.js';
import type { MemoryMap } from '../../targets/index.js';
import { budgetBar } from './bar.js';
import { bytesText, table } from './text.js';

export function memoryReport(map: MemoryMap): string {
  const { peak, moments, headBytes } = map;
  const rows = moments.map((moment) => {
    const { operator, op, liveBytes } = moment;
    return [
      operator ?? '',
      op,
      bytesText(liveBytes),
      budgetBar(liveBytes, headBytes, 40),
      operator === peak.operator ? '<- peak' : '',
    ];
  });
  const largest = peak.buffers.map(({ label, size, offset }) => ['', bytesText(size), `at ${offset}`, label]);
  return [
    arenaText(map),
    table(rows, ['', 'operator', 'alive', `of ${bytesText(headBytes)} planned`, '']),
    `At the peak, ${placeOf(map)}:`,
    table(largest),
  ].join('\n');
}

export function arenaText({ headBytes, tailBytes, arenaBytes, minimumArenaBytes }: MemoryMap): string {
  const moment = minimumArenaBytes > arenaBytes ? `; allocation temporarily needs ${bytesText(minimumArenaBytes)}` : '';
  return `arena ${bytesText(arenaBytes)}: planned ${bytesText(headBytes)}, persistent ${bytesText(tailBytes)}${moment}`;
}

/** What a plan saves, and how far it is from the lower bound. */
export function memoryPlanText({
  headBytesBefore,
  headBytes,
  lowerBoundBytes,
  provenOrder,
  movedOperators,
  stored,
}: MemoryPlan): string {
  const saved = `planned arena ${bytesText(headBytesBefore)} -> ${bytesText(headBytes)}`;
  const bound =
    headBytes === lowerBoundBytes && provenOrder
      ? 'the minimum'
      : `at least ${bytesText(lowerBoundBytes)} in this order`;
  const how =
    [movedOperators === 0 ? [] : [`${movedOperators} operators moved`], stored ? ['offsets stored'] : []]
      .flat()
      .join(', ') || 'nothing to store';
  return `${saved}, ${bound} (${how})`;
}

export function placeOf({ peak }: MemoryMap): string {
  return peak.operator === null ? 'before the first operator' : `at operator ${peak.operator} ${peak.op}`;
}
