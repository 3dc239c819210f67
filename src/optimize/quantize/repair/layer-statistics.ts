// Statistics of the rows that a layer multiplies, in the float model and in the quantized one: means and covariances.

import { seededRandom } from '../../../base/random.js';
import type { Layer } from '../../../simulator/index.js';

/** For one group of a layer. */
export interface RowStatistics {
  /** By place. */
  readonly floatMean: Float64Array;
  readonly quantizedMean: Float64Array;
  /** Covariances of the quantized rows, [place, place]; null if not requested, or if rows are too long. */
  readonly covariances: Float64Array | null;
}

/** Covariances of longer rows need too much memory. */
const deepest = 2048;

/** Maximum multiplications for a layer's covariances. */
const affordable = 2e9;
const [minRows, maxRows] = [512, 4096];

export class LayerStatistics {
  private readonly groups: {
    rows: number;
    floatSum: Float64Array;
    quantizedSum: Float64Array;
    products: Float64Array | null;
  }[];
  private readonly random = seededRandom(1);
  private readonly rowsPerRun: number;

  /** @param runs expected number of runs: each contributes its share of the rows */
  constructor(
    private readonly layer: Layer,
    runs: number,
    withCovariances: boolean,
  ) {
    const { depth, groups } = layer;
    const rows = Math.min(maxRows, Math.max(minRows, affordable / (depth * depth * groups)));
    this.rowsPerRun = Math.min(layer.positions, Math.ceil(rows / runs));
    this.groups = Array.from({ length: groups }, () => ({
      rows: 0,
      floatSum: new Float64Array(depth),
      quantizedSum: new Float64Array(depth),
      products: withCovariances && depth <= deepest ? new Float64Array(depth * depth) : null,
    }));
  }

  /**
   * @param float the layer's input in the float model
   * @param quantized its input in the quantized model, in real values
   */
  add(float: Float32Array, quantized: Float32Array): void {
    const { depth, positions } = this.layer;
    const [f, q] = [new Float32Array(depth), new Float32Array(depth)];
    for (let r = 0; r < this.rowsPerRun; r++) {
      const position = this.rowsPerRun === positions ? r : Math.floor(this.random() * positions);
      this.groups.forEach((group, g) => {
        this.layer.gather(float, position, g, f);
        this.layer.gather(quantized, position, g, q);
        group.rows += 1;
        for (let i = 0; i < depth; i++) {
          group.floatSum[i] = (group.floatSum[i] as number) + (f[i] as number);
          group.quantizedSum[i] = (group.quantizedSum[i] as number) + (q[i] as number);
        }
        if (group.products !== null) addOuterProduct(group.products, q);
      });
    }
  }

  ofGroup(g: number): RowStatistics {
    const { rows, floatSum, quantizedSum, products } = this.groups[g] as (typeof this.groups)[number];
    const floatMean = floatSum.map((sum) => sum / rows);
    const quantizedMean = quantizedSum.map((sum) => sum / rows);
    const covariances = products === null ? null : centered(products, quantizedMean, rows);
    return { floatMean, quantizedMean, covariances };
  }
}

function addOuterProduct(sums: Float64Array, row: Float32Array): void {
  const { length } = row;
  for (let i = 0; i < length; i++) {
    const value = row[i] as number;
    // After a RELU, most are 0.
    if (value === 0) continue;
    const at = i * length;
    for (let j = 0; j < length; j++) sums[at + j] = (sums[at + j] as number) + value * (row[j] as number);
  }
}

function centered(sums: Float64Array, mean: Float64Array, rows: number): Float64Array {
  const { length } = mean;
  return sums.map((sum, at) => sum / rows - (mean[Math.floor(at / length)] as number) * (mean[at % length] as number));
}
