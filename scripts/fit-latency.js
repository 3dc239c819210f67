// Fits the latency model to the published times of the MLPerf Tiny benchmark and writes
// targets/latency/mlperf-tiny.yaml, from which docs/latency.md is generated. Needs the records and the benchmark's int8
// models, which are no part of the repository:
//
//   node scripts/fit-latency.js RECORDS.csv MODELS
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { readModel } from '../dist/formats/tflite/index.js';
import { cyclesOf, fitPerMac, modelLoadOf } from '../dist/targets/latency-fit.js';
import { median, mlperfTinySystems, skipsDeadChannels } from './mlperf-tiny.js';

const [records, models] = process.argv.slice(2);
const files = { kws: 'kws_ref_model', vww: 'vww_96_int8', ic: 'pretrainedResnet_quant', ad: 'ad01_int8' };
const loads = Object.fromEntries(
  Object.entries(files).map(([name, file]) => [
    name,
    modelLoadOf(readModel(new Uint8Array(readFileSync(path.join(models, `${file}.tflite`))))),
  ]),
);
const rounded = (value, digits) => Number(value.toPrecision(digits));
const systems = mlperfTinySystems(records).map((system) => {
  const { round, submitter, board, core, runtime, clockMhz, latencyMs, milliwatts: power } = system;
  const measured = (names) => names.map((name) => ({ load: loads[name], cycles: 1000 * clockMhz * latencyMs[name] }));
  const skips = skipsDeadChannels(system);
  const fitted = fitPerMac(measured(['kws', 'ic', 'ad']));
  // The fourth serves too, once it has been predicted, unless its load is not known.
  const best = skips ? fitted : fitPerMac(measured(['kws', 'ic', 'ad', 'vww']));
  const perMac = Object.fromEntries(Object.entries(best).map(([kind, cycles]) => [kind, rounded(cycles, 4)]));
  const vwwPredicted = rounded(cyclesOf(fitted, loads.vww) / (1000 * clockMhz * latencyMs.vww), 3);
  // Power is the same whatever runs: of three models it gives the energy of the fourth.
  const milliwatts = power === null ? null : rounded(median([power.kws, power.ic, power.ad]), 4);
  const vwwEnergyPredicted = power === null ? null : rounded((milliwatts / power.vww) * vwwPredicted, 3);
  return {
    round,
    submitter,
    board,
    core,
    runtime,
    clockMhz,
    perMac,
    vwwPredicted,
    milliwatts,
    vwwEnergyPredicted,
    skipsDeadChannels: skips,
  };
});
systems.sort((a, b) => `${a.core} ${a.runtime} ${a.round}`.localeCompare(`${b.core} ${b.runtime} ${b.round}`));
const head = `# Written by scripts/fit-latency.js from the published times of MLPerf Tiny v0.5 to v1.3, closed division.
# perMac: cycles per unit of load, fitted to all four models; milliwatts: energy / time, the median of three models.
# vwwPredicted: predicted / measured latency of visual wake words, fitted to the other three; vwwEnergyPredicted: the
# same for its energy.
`;
const lines = systems.map((system) => `- ${stringify(system, { collectionStyle: 'flow', lineWidth: 0 })}`);
writeFileSync(new URL('../targets/latency/mlperf-tiny.yaml', import.meta.url), head + lines.join(''));
