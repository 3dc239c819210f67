import { stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../base/errors.js';
import { deviceHelp } from './choices.js';
import { connect } from './device-runner.js';
import { forceOption, limitOptions, limitsOf, maxDropOption } from './gate-options.js';
import { defineVerb } from './verb.js';

export const deployVerb = defineVerb({
  name: 'deploy',
  writesJunit: true,
  summary: 'quantize, check, push, and measure on the device',
  define: (command) =>
    forceOption(limitOptions(maxDropOption(command)))
      .argument('<model|folder>', 'a .tflite file, a model that convert takes, or a folder with an atoll.yaml')
      .requiredOption('--target <target>', 'kind of device')
      .requiredOption('--device <uri>', deviceHelp)
      .option('--calibrate <dataset>', 'dataset file for calibration')
      .option('--data <dataset>', 'dataset file to evaluate on')
      .option(
        '-o, --output <folder>',
        'output folder for the int8 model, slot image and report.json (default: build beside the model)',
      ),
  run: async (context, [place], options) => {
    const [{ deploy, readProject }, { loadTarget }, { deployCases, deployReport }, { writeAtomically }] =
      await Promise.all([
        import('../deploy.js'),
        import('../../targets/index.js'),
        import('../report/index.js'),
        import('../../base/files/index.js'),
      ]);
    const named = (await isFile(place))
      ? {
          name: path.parse(place).name.replace(/\.int8$/, ''),
          model: place,
          calibrate: null,
          data: null,
          out: path.join(path.dirname(place), 'build'),
        }
      : await readProject(place);
    const project = {
      ...named,
      calibrate: options.calibrate ?? named.calibrate,
      data: options.data ?? named.data,
      out: options.output ?? named.out,
    };
    const target = await loadTarget(options.target);
    const device = await connect(context, options.device);
    try {
      const described = await device.describe(context.signal);
      if (described.target !== target.id)
        throw fail('USAGE', {
          reason: `--target is ${target.id}, but ${options.device} reports ${described.target}`,
        });
      const result = await deploy(project, target, device, {
        signal: context.signal,
        onProgress: context.progress.update,
        limits: limitsOf(options),
        force: options.force === true,
      });
      const { warnings, agreement } = result;
      await writeAtomically(
        path.join(project.out, 'report.json'),
        `${JSON.stringify({ schema: 'atoll/deploy/1', ...result }, null, 2)}\n`,
      );
      return {
        document: result,
        text: [deployReport(result), ...warnings.map(({ code, message }) => `warning ${code}: ${message}`)].join('\n'),
        cases: deployCases(result),
        exitCode: agreement.agrees && agreement.challenge ? 0 : 1,
      };
    } finally {
      await device.close();
    }
  },
});

async function isFile(place: string): Promise<boolean> {
  return stat(place).then(
    (entry) => entry.isFile(),
    () => false,
  );
}
