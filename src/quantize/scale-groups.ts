// Tensors that must share scale and zero point, as disjoint sets; a set may be fixed by an operator.

import { activationParameters, type Range } from './parameters.js';
import type { FixedQuantization } from './rules.js';

export class ScaleGroups {
  private readonly parent: number[];
  private readonly fixed = new Map<number, FixedQuantization>();

  constructor(tensorCount: number) {
    this.parent = Array.from({ length: tensorCount }, (_, i) => i);
  }

  fix(tensor: number, quantization: FixedQuantization): void {
    this.fixed.set(this.rootOf(tensor), quantization);
  }

  fixedOf(tensor: number): FixedQuantization | null {
    return this.fixed.get(this.rootOf(tensor)) ?? null;
  }

  /** A fixed set stays fixed; of two, the first one's quantization holds. */
  join(a: number, b: number): void {
    const [rootA, rootB] = [this.rootOf(a), this.rootOf(b)];
    if (rootA === rootB) return;
    const fixed = this.fixed.get(rootA) ?? this.fixed.get(rootB);
    this.parent[rootB] = rootA;
    if (fixed !== undefined) this.fixed.set(rootA, fixed);
  }

  /** The quantization of every tensor: fixed, or from the union of its set's ranges. */
  parameters(rangeOf: (tensor: number) => Range): (tensor: number) => FixedQuantization {
    const members = new Map<number, number[]>();
    this.parent.forEach((_, tensor) => {
      const root = this.rootOf(tensor);
      members.set(root, [...(members.get(root) ?? []), tensor]);
    });
    const known = new Map<number, FixedQuantization>();
    return (tensor) => {
      const root = this.rootOf(tensor);
      const found = known.get(root) ?? this.fixed.get(root);
      if (found !== undefined) return found;
      const ranges = (members.get(root) ?? [tensor]).map(rangeOf);
      const union = { min: Math.min(...ranges.map(({ min }) => min)), max: Math.max(...ranges.map(({ max }) => max)) };
      const quantization = activationParameters(union);
      known.set(root, quantization);
      return quantization;
    };
  }

  private rootOf(tensor: number): number {
    let root = tensor;
    while (this.parent[root] !== root) root = this.parent[root] as number;
    this.parent[tensor] = root;
    return root;
  }
}
