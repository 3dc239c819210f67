import { Argument, type Command } from '@commander-js/extra-typings';
import { fail } from '../../base/errors.js';
import { calibrate } from './target-calibration.js';
import { defineVerb, type Outcome } from './verb.js';

function define(command: Command) {
  return command
    .addArgument(
      new Argument(
        '[action]',
        'calibrate: write a target file that corrects the latency of a target by measurements',
      ).choices(['calibrate']),
    )
    .option('--validate <file>', 'check a target file instead: reports every error with its line')
    .option('--target <target>', 'calibrate: the target that was measured')
    .option(
      '--measured <files...>',
      'calibrate: output of `atoll run` or `atoll evaluate` with --device and --json, one file per model',
    )
    .option('-o, --output <file>', 'calibrate: where to write the target file');
}

export const targetsVerb = defineVerb({
  name: 'targets',
  summary: 'list the targets with their budgets',
  define,
  run: async (_context, [action], options) => {
    if (action === 'calibrate') return calibrate(options);
    if (options.target !== undefined || options.measured !== undefined || options.output !== undefined) {
      throw fail('USAGE', { reason: '--target, --measured and -o are for `atoll targets calibrate`' });
    }
    if (options.validate !== undefined) return validate(options.validate);
    const [{ budgetOf, loadShippedTargets }, { bytesText, table }] = await Promise.all([
      import('../../targets/index.js'),
      import('../report/index.js'),
    ]);
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
});

async function validate(file: string): Promise<Outcome<'targets'>> {
  const { targetFaults } = await import('../../targets/index.js');
  const faults = await targetFaults(file);
  const lines = faults.map(({ line, path, reason }) => `${file}:${line}: ${path === '' ? '' : `${path}: `}${reason}`);
  return {
    document: { file, valid: faults.length === 0, faults },
    text: lines.join('\n') || `${file} is a valid target file`,
    exitCode: faults.length === 0 ? 0 : 1,
  };
}
