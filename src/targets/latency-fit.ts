// Fits cycles per multiply-accumulate to published latencies of whole models: one set of constants per system (board,
// clock, runtime).

import { elementAt } from '../base/checked.js';
import { elementCount, type Model, mainSubgraph } from '../formats/tflite/index.js';
import { workOf } from '../simulator/index.js';
import { type LayerKind, layerKinds, loadOf } from './latency.js';

/** The constants of a system: cycles per unit of load. */
export type PerMac = Readonly<Record<LayerKind, number>>;

/** The load of a whole model by kind of layer. */
export type ModelLoad = Readonly<Record<LayerKind, number>>;

export function modelLoadOf(model: Model): ModelLoad {
  const { operators, tensors } = mainSubgraph(model);
  const load = { conv: 0, depthwise: 0, fullyConnected: 0 };
  for (const [o, work] of workOf(model).entries()) {
    const kind = work?.kind;
    if (work === null || kind === undefined || kind === 'elementwise' || kind === 'copy') continue;
    load[kind] += loadOf(kind, work.macs, elementCount(tensors[operators[o]?.outputs?.[0] ?? -1]?.shape ?? []));
  }
  return load;
}

export interface MeasuredModel {
  readonly load: ModelLoad;
  readonly cycles: number;
}

/**
 * Prior ratios to the cost of a convolution: depthwise layers have no reuse, dense layers stream their weights. Three
 * models determine three constants; the prior keeps them from following one odd measurement.
 */
const expected = { depthwise: { ratio: 4, spread: 0.3 }, fullyConnected: { ratio: 1.3, spread: 0.5 } } as const;

/** Expected error of a published latency against such a model, as a share. */
const spreadOfTimes = 0.1;

const rounds = 60;

/** Gauss-Newton on logarithms, so that all three constants are positive. */
export function fitPerMac(measured: readonly MeasuredModel[]): PerMac {
  const total = measured.reduce((sum, { load }) => sum + layerKinds.reduce((all, kind) => all + load[kind], 0), 0);
  const start = Math.log(measured.reduce((sum, { cycles }) => sum + cycles, 0) / total);
  let logs = layerKinds.map((kind) => (kind === 'conv' ? start : start + Math.log(expected[kind].ratio)));
  for (let round = 0; round < rounds; round++) {
    const rows: { residual: number; slopes: number[] }[] = measured.map(({ load, cycles }) => {
      const parts = layerKinds.map((kind, k) => Math.exp(elementAt(logs, k)) * load[kind]);
      const predicted = parts.reduce((sum, part) => sum + part, 0);
      return {
        residual: Math.log(predicted / cycles) / spreadOfTimes,
        slopes: parts.map((part) => part / predicted / spreadOfTimes),
      };
    });
    for (const kind of ['depthwise', 'fullyConnected'] as const) {
      const { ratio, spread } = expected[kind];
      const at = layerKinds.indexOf(kind);
      rows.push({
        residual: (elementAt(logs, at) - elementAt(logs, 0) - Math.log(ratio)) / spread,
        slopes: layerKinds.map((_, k) => (k === 0 ? -1 / spread : k === at ? 1 / spread : 0)),
      });
    }
    const step = leastSquares(rows);
    // Far from the solution a full step may overshoot.
    logs = logs.map((log, k) => log + Math.max(-1, Math.min(1, elementAt(step, k))));
  }
  const [conv, depthwise, fullyConnected] = logs.map(Math.exp) as [number, number, number];
  return { conv, depthwise, fullyConnected };
}

export function cyclesOf(perMac: PerMac, load: ModelLoad): number {
  return layerKinds.reduce((sum, kind) => sum + perMac[kind] * load[kind], 0);
}

/** The Gauss-Newton step: normal equations, solved by elimination. */
function leastSquares(rows: readonly { readonly residual: number; readonly slopes: readonly number[] }[]): number[] {
  const size = rows[0]?.slopes.length ?? 0;
  const sumOf = (value: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((sum, row) => sum + value(row), 0);
  const matrix = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (_, j) => sumOf(({ slopes }) => elementAt(slopes, i) * elementAt(slopes, j))),
    -sumOf(({ slopes, residual }) => elementAt(slopes, i) * residual),
  ]);
  for (let i = 0; i < size; i++) {
    const pivot = elementAt(matrix, i);
    for (let j = i + 1; j < size; j++) {
      const row = elementAt(matrix, j);
      const factor = elementAt(row, i) / elementAt(pivot, i);
      for (let c = i; c <= size; c++) row[c] = elementAt(row, c) - factor * elementAt(pivot, c);
    }
  }
  const solution = new Array<number>(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    const row = elementAt(matrix, i);
    const known = solution.reduce((sum, value, j) => (j > i ? sum + elementAt(row, j) * value : sum), 0);
    solution[i] = (elementAt(row, size) - known) / elementAt(row, i);
  }
  return solution;
}
