// A histogram of a tensor's values. All bins have the same width, a power of two, symmetric around 0; if a value lies
// beyond, pairs of bins are merged. Any two histograms can therefore be added.

const half = 2048;

/** Plain data: bin `i` starts at (first + i) * width. Values of exactly 0 are counted separately. */
export interface HistogramData {
  /** Width of a bin. */
  readonly width: number;
  /** Number of values that are exactly 0. */
  readonly zeros: number;
  /** Negative if there are values below 0. */
  readonly first: number;
  /** Values in each bin, from the first one with values. */
  readonly counts: readonly number[];
}

export class Histogram {
  private width = 0;
  private zeros = 0;
  /** Allocated with the first value. */
  private counts = new Float64Array(0);

  static sumOf(parts: readonly HistogramData[]): HistogramData {
    const sum = new Histogram();
    sum.counts = new Float64Array(2 * half);
    const width = Math.max(...parts.map((part) => part.width));
    for (const part of parts) {
      const own = new Histogram();
      own.width = part.width;
      own.counts = new Float64Array(2 * half);
      own.counts.set(part.counts, part.first + half);
      while (own.width > 0 && own.width < width) own.widen();
      sum.counts = sum.counts.map((count, i) => count + (own.counts[i] ?? 0));
      sum.zeros += part.zeros;
    }
    sum.width = width;
    return sum.data;
  }

  /** @param limit the largest magnitude among the values */
  add(values: Float32Array, limit: number): void {
    if (this.width === 0 && limit > 0) {
      this.counts = new Float64Array(2 * half);
      this.width = 2 ** Math.ceil(Math.log2(limit / half));
    }
    while (limit > this.width * half) this.widen();
    const { counts, width } = this;
    if (width === 0) {
      this.zeros += values.length;
      return;
    }
    const inverse = 1 / width;
    let zeros = 0;
    for (const value of values) {
      if (value === 0) zeros += 1;
      else {
        const bin = Math.min(2 * half - 1, Math.max(0, Math.floor(value * inverse) + half));
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
    }
    this.zeros += zeros;
  }

  get data(): HistogramData {
    const { width, zeros, counts } = this;
    const from = Math.max(
      0,
      counts.findIndex((count) => count > 0),
    );
    return {
      width,
      zeros,
      first: from - half,
      counts: Array.from(counts.subarray(from, counts.findLastIndex((count) => count > 0) + 1)),
    };
  }

  private widen(): void {
    const counts = new Float64Array(2 * half);
    for (let i = 0; i < 2 * half; i++) {
      const to = Math.floor((i - half) / 2) + half;
      counts[to] = (counts[to] ?? 0) + (this.counts[i] ?? 0);
    }
    this.counts = counts;
    this.width *= 2;
  }
}
