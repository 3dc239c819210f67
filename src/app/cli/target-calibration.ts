// `atoll targets calibrate`: writes a target file that corrects the shipped one by measurements on a board.

import path from 'node:path';
import { z } from 'zod';
import { elementAt } from '../../base/checked.js';
import { fail, reasonOf, within } from '../../base/errors.js';
import { refuseOverwriting } from './options.js';
import type { Outcome } from './verb.js';

/** The fields that are read from the documents of `run` and `evaluate`. */
const measurementSchema = z.looseObject({
  file: z.string(),
  device: z.string().nullable(),
  latencyMs: z.looseObject({ median: z.number().positive(), basis: z.enum(['host', 'simulated', 'device']) }),
});

export interface CalibrationOptions {
  readonly measured?: readonly string[];
  readonly target?: string;
  readonly output?: string;
}

/** @throws USAGE, MEASUREMENT_INVALID, and what reading targets and models throws */
export async function calibrate(options: CalibrationOptions): Promise<Outcome<'targets'>> {
  const files = options.measured ?? [];
  const id = options.target ?? '';
  if (id === '' || files.length === 0 || options.output === undefined)
    throw fail('USAGE', { reason: 'calibrate needs --target, --measured and -o' });
  if (/\.ya?ml$/.test(id))
    throw fail('USAGE', {
      reason: `--target ${id}: only shipped targets can be calibrated; add latency.measured to your own file`,
    });
  const output = options.output;
  if (!/\.ya?ml$/.test(output))
    throw fail('USAGE', { reason: `-o ${output}: the name of a target file must end in .yaml` });
  const [
    { calibrateTarget, loadTarget },
    { readBytes, readText, writeAtomically },
    { readModel },
    { millisecondsText, table },
    { stringify },
    { refuseUnsupported },
  ] = await Promise.all([
    import('../../targets/index.js'),
    import('../../base/files/index.js'),
    import('../../formats/tflite/index.js'),
    import('../report/index.js'),
    import('yaml'),
    import('../../simulator/index.js'),
  ]);
  const target = await loadTarget(id);
  const measurements = await Promise.all(
    files.map(async (file) => {
      const { file: modelFile, device, latencyMs } = parseMeasurement(await readText(file), file);
      if (device?.startsWith('sim:') && device !== `sim:${id}`)
        throw fail('MEASUREMENT_INVALID', { where: file, reason: `it was measured on ${device}, not on ${id}` });
      try {
        const model = readModel(await readBytes(modelFile), modelFile);
        refuseUnsupported(model);
        return {
          modelFile,
          place: path.resolve(modelFile),
          basis: latencyMs.basis,
          model,
          latencyMs: latencyMs.median,
        };
      } catch (error) {
        throw within(error, file);
      }
    }),
  );
  refuseOverwriting(output, [...files, ...measurements.map(({ modelFile }) => modelFile)]);
  const twice = measurements.find(({ place }, m) => measurements.some((other, o) => o < m && other.place === place));
  if (twice !== undefined)
    throw fail('USAGE', { reason: `${twice.modelFile} was measured twice: pass one measurement per model` });
  const { measured, models } = calibrateTarget(target, measurements);
  if (!(measured.factor > 0 && measured.factor < Infinity))
    throw fail('MEASUREMENT_INVALID', {
      where: files.join(', '),
      reason: 'it cannot be compared with the estimate, which is 0 or implausible',
    });
  const simulated = measurements.some(({ basis }) => basis === 'simulated');
  const sources = Object.fromEntries(Object.entries(target.sources).filter(([key]) => key.startsWith('latency')));
  const own = {
    id: `${id}-measured`,
    extends: id,
    latency: { measured },
    sources: {
      ...sources,
      'latency.measured':
        `atoll targets calibrate, ${measured.models} ` + `model(s)${simulated ? ', on a simulated device' : ''}`,
    },
  };
  await writeAtomically(output, stringify(own));
  const rows = models.map(({ measuredMs, estimatedMs, correctedMs }, m) => [
    elementAt(measurements, m).modelFile,
    ...[measuredMs, estimatedMs, correctedMs].map(millisecondsText),
  ]);
  return {
    document: {
      target: id,
      output,
      measured,
      simulated,
      models: models.map((one, m) => ({ file: elementAt(measurements, m).modelFile, ...one })),
    },
    text: [
      `${output}: a target that extends ${id}, with its latency multiplied by ` +
        `${measured.factor.toPrecision(3)}, +-${measured.errorPercent} %`,
      table(rows, ['model', 'measured', 'estimated', 'corrected']),
      ...(simulated ? ['note: measured on a simulated device, which only repeats the estimate'] : []),
    ].join('\n'),
  };
}

function parseMeasurement(text: string, file: string): z.infer<typeof measurementSchema> {
  let plain: unknown;
  try {
    plain = JSON.parse(text);
  } catch (error) {
    throw fail('MEASUREMENT_INVALID', { where: file, reason: reasonOf(error) }, error);
  }
  const { success, data, error } = measurementSchema.safeParse(plain);
  if (!success)
    throw fail('MEASUREMENT_INVALID', {
      where: file,
      reason: error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
    });
  if (data.latencyMs.basis === 'host')
    throw fail('MEASUREMENT_INVALID', { where: file, reason: 'it was measured on this host, not on a device' });
  return data;
}
