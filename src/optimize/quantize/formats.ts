// Determines the format in which each tensor of a subgraph is written and read: the type in which its operators
// compute, tensors that must share a scale, and formats that files and operators fix.

import { defined, elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import {
  ActivationFunctionType,
  constantFloats,
  isConstantFloat,
  type Model,
  type Operator,
  operatorName,
  type SubGraph,
  TensorType,
  tensorLabel,
} from '../../formats/tflite/index.js';
import { pinOf } from './dequantize.js';
import { type ModeExceptions, type OperatorMode, ruleOf } from './modes.js';
import { float, type IntegerType, type NumberFormat, type NumberType, sameFormat } from './number-format.js';
import { type Range, rangeOfValues } from './parameters.js';
import { ScaleGroups } from './scale-groups.js';
import type { SchemeRules } from './scheme.js';
import { type Granularity, weightInputs } from './weights.js';

/** A tensor as it is written: by an operator, as an input, or as a constant that is an output. */
export interface ActivationPlan extends NumberFormat {
  /** Tensor index within the subgraph. */
  readonly tensor: number;
  readonly name: string;
  /** The first tensor of those with the same scale. */
  readonly group: number;
  /** The range that the scale was computed from; null if an operator or a file fixes the scale. */
  readonly range: Range | null;
}

/** A tensor that some readers need in another format. Constants have no written format. */
export interface ConversionPlan extends NumberFormat {
  readonly tensor: number;
  readonly name: string;
  /** Inputs of operators; an output of the subgraph if `operator` is null. */
  readonly readers: readonly Reader[];
}

interface Reader {
  readonly operator: number | null;
  readonly input: number;
}

/** The range of every tensor of a subgraph, by index; null if no value was observed. */
export type Ranges = readonly (Range | null)[];

export interface SubgraphOptions {
  readonly rules: SchemeRules;
  readonly io: NumberType;
  readonly dense: Granularity;
  readonly ranges: Ranges;
  readonly exceptions: ModeExceptions | undefined;
}

/** In which format each tensor of a subgraph is written and read. */
export class Formats {
  private readonly groups: Readonly<Record<IntegerType, ScaleGroups>>;
  private readonly formatOf: Readonly<Record<IntegerType, (tensor: number) => NumberFormat>>;
  /** The operator that writes each tensor. */
  private readonly producers: ReadonlyMap<number, number>;
  /** Inputs that are converted to the scale of their operator's output. */
  private readonly apart = new Map<string, number>();

  constructor(
    private readonly model: Model,
    private readonly subgraph: SubGraph,
    private readonly modes: readonly OperatorMode[],
    private readonly options: SubgraphOptions,
  ) {
    const count = subgraph.tensors.length;
    this.producers = new Map(
      subgraph.operators.flatMap(({ outputs }, o) =>
        Array.from(outputs ?? [], (tensor): [number, number] => [tensor, o]),
      ),
    );
    this.groups = { int8: new ScaleGroups(count, 'int8'), int16: new ScaleGroups(count, 'int16') };
    this.group();
    const range = (tensor: number): Range => this.rangeOf(tensor);
    this.limitScales(range);
    this.formatOf = { int8: this.groups.int8.formats(range), int16: this.groups.int16.formats(range) };
  }

  /**
   * Adjusts scales to the kernels' limits, operator after operator: the scale of one tensor limits that of the next.
   */
  private limitScales(range: (tensor: number) => Range): void {
    this.subgraph.operators.forEach((operator, o) => {
      const mode = elementAt(this.modes, o);
      if (mode === 'float32' || mode === 'dynamic-range') return;
      const groups = this.groups[mode];
      const inner = activationFloor(this.model, operator);
      if (inner > 0) groups.raise(defined(operator.outputs?.[0]), inner);
      const inputs = this.dataInputs(o).map((input) => defined(operator.inputs?.[input]));
      const { outputFloor, inputFloor } = ruleOf(this.model, operator) ?? {};
      const floor = outputFloor?.[mode];
      const least = inputFloor?.[mode]?.(operator.builtinOptions) ?? 0;
      if (least > 0) groups.raise(elementAt(inputs, 0), least);
      if (inputs.length < 2 && floor === undefined) return;
      const scaleOf = (tensor: number): number => groups.formats(range)(tensor).scale;
      const isZero = (tensor: number): boolean =>
        groups.membersOf(tensor).every((member) => range(member).min === 0 && range(member).max === 0);
      const others = inputs.filter((tensor) => !isZero(tensor));
      if (others.length > 0)
        for (const tensor of inputs.filter(isZero)) groups.chooseForZero(tensor, Math.min(...others.map(scaleOf)));
      // Slightly more, since the multiplier must be below 1 after rounding too.
      if (floor !== undefined)
        groups.raise(defined(operator.outputs?.[0]), floor(Math.max(...inputs.map(scaleOf))) * 1.0001);
    });
  }

  /** The written format of a tensor; null for constants that are not outputs. */
  written(tensor: number): NumberFormat | null {
    const producer = this.producers.get(tensor);
    if (producer !== undefined) return this.computed(producer, tensor);
    return this.isEdge(tensor) ? this.atEdge(tensor, this.options.io) : null;
  }

  /** The format in which an operator reads an input. */
  read(operator: number, input: number): NumberFormat {
    const mode = elementAt(this.modes, operator);
    const tensor = defined(this.subgraph.operators[operator]?.inputs?.[input]);
    if (mode === 'float32' || mode === 'dynamic-range') return float;
    return this.formatOf[mode](this.apart.get(`${operator}/${input}`) ?? tensor);
  }

  activations(): ActivationPlan[] {
    const { tensors } = this.subgraph;
    return this.floatTensors().flatMap((tensor): ActivationPlan[] => {
      const format = this.written(tensor);
      if (format === null || format.type === 'float32') return [];
      const group = format.type === 'int16' ? this.groups.int16 : this.groups.int8;
      const range = group.fixedOf(tensor) === null ? this.rangeOf(tensor) : null;
      return [
        { tensor, name: tensors[tensor]?.name ?? '', group: group.membersOf(tensor)[0] ?? tensor, range, ...format },
      ];
    });
  }

  conversions(): ConversionPlan[] {
    const found: { tensor: number; name: string; readers: Reader[]; format: NumberFormat }[] = [];
    const reads = (tensor: number, format: NumberFormat, reader: Reader): void => {
      const written = this.written(tensor);
      if (written !== null ? sameFormat(written, format) : format.type === 'float32') return;
      const known = found.find((entry) => entry.tensor === tensor && sameFormat(entry.format, format));
      if (known !== undefined) known.readers.push(reader);
      else found.push({ tensor, name: this.subgraph.tensors[tensor]?.name ?? '', readers: [reader], format });
    };
    this.subgraph.operators.forEach((_, o) => {
      for (const input of this.dataInputs(o))
        reads(defined(this.subgraph.operators[o]?.inputs?.[input]), this.read(o, input), { operator: o, input });
    });
    this.subgraph.outputs?.forEach((tensor, input) => {
      if (this.isFloat(tensor)) reads(tensor, this.atEdge(tensor, this.options.io), { operator: null, input });
    });
    return found.map(({ format, ...entry }) => ({ ...entry, ...format }));
  }

  /** Groups tensors that must share a scale, in the type in which an operator computes. */
  private group(): void {
    const { subgraph, modes } = this;
    const integer = subgraph.operators.flatMap((operator, o) => {
      const mode = elementAt(modes, o);
      const rule = ruleOf(this.model, operator);
      return rule === undefined || mode === 'float32' || mode === 'dynamic-range'
        ? []
        : [{ operator, o, rule, mode, groups: this.groups[mode] }];
    });
    // Formats fixed by the file, which an operator may override.
    for (const tensor of this.floatTensors()) {
      const described = elementAt(subgraph.tensors, tensor);
      const pin = isConstantFloat(this.model, described) ? null : pinOf(described);
      if (pin !== null) this.groups.int8.fix(tensor, pin);
    }
    for (const { operator, rule, mode, groups } of integer) {
      const fixed = rule.fixedOutput?.[mode];
      if (fixed !== undefined) groups.fix(defined(operator.outputs?.[0]), fixed);
    }
    const shared = integer.filter(({ rule }) => rule.sameScale);
    const tensorsOf = (indices: Int32Array | null): number[] =>
      Array.from(indices ?? []).filter((tensor) => this.isFloat(tensor));
    // Operators with one data input first: what they propagate may fix formats before several inputs meet.
    for (const { operator, o, groups } of shared) {
      const [input, ...others] = tensorsOf(operator.inputs);
      if (input === undefined || others.length > 0) continue;
      for (const output of tensorsOf(operator.outputs)) {
        if (groups.agree(input, output)) groups.join(input, output);
        else this.apart.set(`${o}/${operator.inputs?.indexOf(input)}`, output);
      }
    }
    for (const { operator, o, groups } of shared) {
      if (tensorsOf(operator.inputs).length < 2) continue;
      const [output] = operator.outputs ?? [];
      for (const input of this.dataInputs(o)) {
        const tensor = defined(operator.inputs?.[input]);
        if (groups.areFree(tensor, defined(output))) groups.join(tensor, defined(output));
        else this.apart.set(`${o}/${input}`, defined(output));
      }
    }
  }

  private computed(producer: number, tensor: number): NumberFormat {
    const mode = elementAt(this.modes, producer);
    return mode === 'int8' || mode === 'int16' ? this.formatOf[mode](tensor) : float;
  }

  /** Formats of inputs and outputs. uint8 is int8 with its zero point shifted. */
  private atEdge(tensor: number, io: NumberType): NumberFormat {
    if (io === 'float32') return float;
    const { scale, zeroPoint, type } = this.formatOf[io === 'int16' ? 'int16' : 'int8'](tensor);
    return io === 'uint8' ? { type: io, scale, zeroPoint: zeroPoint + 128 } : { type, scale, zeroPoint };
  }

  /** The inputs that an operator reads as activations, constant or not. */
  private dataInputs(o: number): number[] {
    const operator = this.subgraph.operators[o];
    if (operator === undefined) return [];
    const apart = weightInputs(this.model, operator, elementAt(this.modes, o));
    return Array.from(operator.inputs ?? [], (tensor, input) => ({ tensor, input }))
      .filter(({ tensor, input }) => this.isFloat(tensor) && !apart.includes(input))
      .map(({ input }) => input);
  }

  private floatTensors(): number[] {
    return this.subgraph.tensors.flatMap((_, tensor) => (this.isFloat(tensor) ? [tensor] : []));
  }

  private isFloat(tensor: number): boolean {
    return this.subgraph.tensors[tensor]?.type === TensorType.FLOAT32;
  }

  private isEdge(tensor: number): boolean {
    return [...(this.subgraph.inputs ?? []), ...(this.subgraph.outputs ?? [])].includes(tensor);
  }

  /** Range of a constant's values, or the calibrated range. */
  private rangeOf(index: number): Range {
    const tensor = elementAt(this.subgraph.tensors, index);
    const constant = constantFloats(this.model, tensor);
    const range = constant === null ? (this.options.ranges[index] ?? noRange) : rangeOfValues(constant);
    if (!Number.isFinite(Math.fround(range.max - range.min)))
      throw fail('QUANTIZE_RANGE', {
        tensor: tensorLabel(index, tensor),
        reason: `its values are from ${range.min} to ${range.max}`,
      });
    return range;
  }
}

/** A tensor that is never computed is never read: any scale works. A warning names such tensors. */
export const noRange: Range = { min: 0, max: 0 };

/** Smallest output scale for which the quantized activation limits fit into int32; 0: no limit. */
function activationFloor(model: Model, operator: Operator): number {
  const { fusedActivationFunction } = (operator.builtinOptions ?? {}) as { fusedActivationFunction?: number };
  if (['RELU6', 'RELU_N1_TO_1', 'RELU_0_TO_1'].includes(operatorName(model, operator))) return 6 / 2 ** 30;
  const { RELU6, RELU_N1_TO_1 } = ActivationFunctionType;
  return fusedActivationFunction === RELU6 ? 6 / 2 ** 30 : fusedActivationFunction === RELU_N1_TO_1 ? 1 / 2 ** 30 : 0;
}
