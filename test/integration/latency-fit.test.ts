// The latency model against published times: fitted on three models of each system, it must predict the fourth.

import { expect } from 'vitest';
import { median, mlperfTinySystems, type System, skipsDeadChannels } from '../../scripts/mlperf-tiny.js';
import { readModel } from '../../src/formats/tflite/index.js';
import { cyclesOf, fitPerMac, modelLoadOf } from '../../src/targets/latency-fit.js';
import { sharedBytes, sharedPath, sharedTest } from '../support/shared.js';

const files = { kws: 'kws_ref_model', vww: 'vww_96_int8', ic: 'pretrainedResnet_quant', ad: 'ad01_int8' } as const;

const loadsOf = (): Record<keyof typeof files, ReturnType<typeof modelLoadOf>> =>
  Object.fromEntries(
    Object.entries(files).map(([name, file]) => [
      name,
      modelLoadOf(readModel(sharedBytes('models', 'mlperf-tiny', `${file}.tflite`))),
    ]),
  ) as Record<keyof typeof files, ReturnType<typeof modelLoadOf>>;

/** Of visual wake words, from the other three models: predicted by measured. */
function predictedBy({ clockMhz, latencyMs }: System, loads: ReturnType<typeof loadsOf>): number {
  const measured = (['kws', 'ic', 'ad'] as const).map((name) => ({
    load: loads[name],
    cycles: 1000 * clockMhz * latencyMs[name],
  }));
  return cyclesOf(fitPerMac(measured), loads.vww) / (1000 * clockMhz * latencyMs.vww);
}

const judged = (): System[] =>
  mlperfTinySystems(sharedPath('facts', 'mlperf-tiny-latency.csv')).filter(
    (system) => system.core.startsWith('Cortex-M') && !skipsDeadChannels(system),
  );

sharedTest(
  'visual wake words are predicted from the other three models: median error 8 % at most, 90 % of systems within 20 %',
  () => {
    const loads = loadsOf();
    const errors = judged()
      .map((system) => Math.abs(predictedBy(system, loads) - 1))
      .sort((a, b) => a - b);
    expect(errors.length).toBeGreaterThanOrEqual(35);
    expect(errors[Math.floor(errors.length / 2)]).toBeLessThanOrEqual(0.08);
    expect(errors.filter((error) => error <= 0.2).length / errors.length).toBeGreaterThanOrEqual(0.9);
  },
);

sharedTest('so is their energy, by the power of the other three: median error 8 % at most, all within 25 %', () => {
  const loads = loadsOf();
  const errors = judged()
    .flatMap((system) => {
      const { milliwatts } = system;
      return milliwatts === null
        ? []
        : [
            Math.abs(
              (median([milliwatts.kws, milliwatts.ic, milliwatts.ad]) / milliwatts.vww) * predictedBy(system, loads) -
                1,
            ),
          ];
    })
    .sort((a, b) => a - b);
  expect(errors.length).toBeGreaterThanOrEqual(10);
  expect(errors[Math.floor(errors.length / 2)]).toBeLessThanOrEqual(0.08);
  expect(errors.at(-1)).toBeLessThanOrEqual(0.25);
});
