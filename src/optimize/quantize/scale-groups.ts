// Tensors that must share scale and zero point in one integer type, as disjoint sets; an operator may fix the
// quantization of a set.

import { elementAt } from '../../base/checked.js';
import type { IntegerType, NumberFormat } from './number-format.js';
import { activationFormat, type Range, type ScaleLimits } from './parameters.js';
import type { FixedQuantization } from './rules.js';

export class ScaleGroups {
  private readonly parent: number[];
  private readonly fixed = new Map<number, FixedQuantization>();
  private readonly limits = new Map<number, ScaleLimits>();

  constructor(
    tensorCount: number,
    private readonly type: IntegerType,
  ) {
    this.parent = Array.from({ length: tensorCount }, (_, i) => i);
  }

  fix(tensor: number, quantization: FixedQuantization): void {
    this.fixed.set(this.rootOf(tensor), quantization);
  }

  fixedOf(tensor: number): FixedQuantization | null {
    return this.fixed.get(this.rootOf(tensor)) ?? null;
  }

  /** Whether one scale can serve both. */
  agree(a: number, b: number): boolean {
    const [one, other] = [this.fixedOf(a), this.fixedOf(b)];
    return one === null || other === null || (one.scale === other.scale && one.zeroPoint === other.zeroPoint);
  }

  /** Whether neither scale is fixed, or both are fixed to the same value. */
  areFree(a: number, b: number): boolean {
    return this.agree(a, b) && (this.fixedOf(a) === null) === (this.fixedOf(b) === null);
  }

  /** A fixed set stays fixed; if both are, the first one's quantization is kept. */
  join(a: number, b: number): void {
    const [rootA, rootB] = [this.rootOf(a), this.rootOf(b)];
    if (rootA === rootB) return;
    const fixed = this.fixed.get(rootA) ?? this.fixed.get(rootB);
    this.parent[rootB] = rootA;
    if (fixed !== undefined) this.fixed.set(rootA, fixed);
  }

  /** Keeps a tensor's scale at or above the kernels' minimum. */
  raise(tensor: number, floor: number): void {
    const { floor: known, ofZero } = this.limitsOf(tensor);
    this.limits.set(this.rootOf(tensor), { floor: Math.max(known, Math.fround(floor)), ofZero });
  }

  /** Gives a tensor that is always 0 a scale. */
  chooseForZero(tensor: number, scale: number): void {
    this.limits.set(this.rootOf(tensor), { ...this.limitsOf(tensor), ofZero: scale });
  }

  private limitsOf(tensor: number): ScaleLimits {
    return this.limits.get(this.rootOf(tensor)) ?? { floor: 0, ofZero: 1 };
  }

  /** The tensors that share a tensor's scale, including itself. */
  membersOf(tensor: number): number[] {
    const root = this.rootOf(tensor);
    return this.parent.flatMap((_, member) => (this.rootOf(member) === root ? [member] : []));
  }

  /** The format of every tensor: fixed, or from the union of its set's ranges. */
  formats(rangeOf: (tensor: number) => Range): (tensor: number) => NumberFormat {
    const known = new Map<number, NumberFormat>();
    return (tensor) => {
      const root = this.rootOf(tensor);
      const fixed = this.fixed.get(root);
      if (fixed !== undefined) return { type: this.type, ...fixed };
      const found = known.get(root);
      if (found !== undefined) return found;
      const ranges = this.membersOf(tensor).map(rangeOf);
      const union = { min: Math.min(...ranges.map(({ min }) => min)), max: Math.max(...ranges.map(({ max }) => max)) };
      const format = activationFormat(union, this.type, this.limitsOf(tensor));
      known.set(root, format);
      return format;
    };
  }

  private rootOf(tensor: number): number {
    let root = tensor;
    while (this.parent[root] !== root) root = elementAt(this.parent, root);
    this.parent[tensor] = root;
    return root;
  }
}
