import type { Verb } from './verb.js';

export const targetsVerb: Verb = {
  name: 'targets',
  summary: 'list the kinds of devices, with their budgets',
  define: () => undefined,
  run: async () => {
    const [{ budgetOf, loadShippedTargets }, { bytesText, table }] = await Promise.all([import('../targets/index.js'), import('../report/index.js')]);
    const targets = await loadShippedTargets();
    const rows = targets.map((target) => {
      const { slotBytes, arenaBytes } = budgetOf(target);
      const clock = target.clockHz === null ? '' : `${target.clockHz / 1e6} MHz`;
      return [
        target.id,
        target.name,
        target.core?.name ?? target.soc,
        clock,
        slotBytes === null ? '-' : bytesText(slotBytes),
        bytesText(arenaBytes),
        target.runtime.name,
      ];
    });
    return {
      document: {
        targets: targets.map((target) => ({
          id: target.id,
          name: target.name,
          soc: target.soc,
          core: target.core,
          clockHz: target.clockHz,
          runtime: target.runtime,
          budgets: budgetOf(target),
        })),
      },
      text: table(rows, ['id', 'name', 'core', 'clock', 'slot', 'arena', 'runtime']),
    };
  },
};
