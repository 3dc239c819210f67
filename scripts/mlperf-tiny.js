// Published times of the MLPerf Tiny benchmark, by system: a CSV with a row for each system and model.
import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';

const benchmarks = ['kws', 'vww', 'ic', 'ad'];

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Systems that published all four; medians, where one appears more than once. */
export function mlperfTinySystems(file) {
  const groups = new Map();
  for (const row of parse(readFileSync(file), { columns: true })) {
    const key = [row.round, row.submitter, row.board, row.core, row.clock_mhz, row.runtime_family].join('|');
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) => {
    const [{ round, submitter, board, core, runtime_family: runtime, clock_mhz: clock }] = group;
    const times = benchmarks.map((name) =>
      group.filter(({ benchmark }) => benchmark === name).map((row) => Number(row.latency_ms)),
    );
    if (times.some(({ length }) => length === 0)) return [];
    const latencyMs = Object.fromEntries(benchmarks.map((name, b) => [name, median(times[b])]));
    const powers = benchmarks.map((name) =>
      group
        .filter((row) => row.benchmark === name && row.energy_uj !== '')
        .map((row) => Number(row.energy_uj) / Number(row.latency_ms)),
    );
    // Microjoules per millisecond.
    const milliwatts = powers.some(({ length }) => length === 0)
      ? null
      : Object.fromEntries(benchmarks.map((name, b) => [name, median(powers[b])]));
    return [{ round, submitter, board, core, runtime, clockMhz: Number(clock), latencyMs, milliwatts }];
  });
}

/**
 * Engines that leave out channels whose weights are all 0, of which the visual wake words model has many: X-CUBE-AI
 * from 8.1 on, Plumerai of 2023, ONNC.
 */
export function skipsDeadChannels({ runtime, round }) {
  return runtime.startsWith('ONNC') || ((runtime === 'X-CUBE-AI' || runtime === 'Plumerai') && round >= 'v1.1');
}
