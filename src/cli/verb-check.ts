import { readModelFile, shapeOption } from './model-file.js';
import type { Verb } from './verb.js';

export const checkVerb: Verb = {
  name: 'check',
  summary: 'say whether a model fits a target: operators, flash, arena, latency',
  define: (command) => {
    shapeOption(command).argument('<model>', 'a .tflite file').requiredOption('--target <target>', 'id of a target, or a target file');
  },
  run: async (_context, [file = ''], options) => {
    const [{ loadTarget }, { checkFile }, { budgetBar, bytesText, millisecondsText, table }] = await Promise.all([
      import('../targets/index.js'),
      import('../bundle/index.js'),
      import('../report/index.js'),
    ]);
    const target = await loadTarget(String(options.target));
    const { bytes, model } = await readModelFile(file, options);
    const result = checkFile(bytes, model, target);
    const { memory, latencyMs } = result;
    const { slotBytes, arenaBytes } = memory.budgets;
    const counts = new Map<string, number>();
    for (const { op, placed } of result.operators) counts.set(`${op} (${placed})`, (counts.get(`${op} (${placed})`) ?? 0) + 1);
    const rows: string[][] = [['operators', [...counts].map(([name, count]) => `${count} x ${name}`).join(', ')]];
    if (slotBytes !== null) rows.push(['flash slot', `${bytesText(memory.flashBytes)} of ${bytesText(slotBytes)} ${budgetBar(memory.flashBytes, slotBytes)}`]);
    if (memory.arenaBytes !== null) {
      rows.push([
        'arena',
        `${bytesText(memory.arenaBytes)} of ${bytesText(arenaBytes)} ${budgetBar(memory.arenaBytes, arenaBytes)} (planned ${bytesText(memory.headBytes ?? 0)}, persistent ${bytesText(memory.tailBytes ?? 0)})`,
      ]);
    }
    if (latencyMs !== null) rows.push(['latency', `${millisecondsText(latencyMs.value)} +-${latencyMs.errorPercent} % (estimate)`]);
    const lines = [
      `${file} ${result.fits ? 'fits' : 'does not fit'} ${target.id} (${target.name})`,
      table(rows),
      ...result.warnings.flatMap(({ code, message, hint }) => [`warning ${code}: ${message}`, `    ${hint}`]),
      ...result.reasons.flatMap(({ message, hint }) => [`no: ${message}`, `    ${hint}`]),
    ];
    return { document: { file, ...result }, text: lines.join('\n'), exitCode: result.fits ? 0 : 1 };
  },
};
