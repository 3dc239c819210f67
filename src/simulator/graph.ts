// Binds a model: operands with memory, and one context per operator. Computed tensors share one region of linear
// memory, planned as on the device.

import { totalmem } from 'node:os';
import { defined, elementAt } from '../base/checked.js';
import { AtollError, fail } from '../base/errors.js';
import {
  bytesOfElements,
  compiledFor,
  elementCount,
  elementTypeOf,
  type Model,
  type Operator,
  operatorName,
  staticShape,
  type Tensor,
  tensorLabel,
} from '../formats/tflite/index.js';
import { greedyPlan } from './arena/greedy.js';
import { tensorRequests } from './arena/lifetimes.js';
import type { Arithmetic } from './arithmetic/profile.js';
import { LinearMemory } from './kernels/index.js';
import { bindTensor, elementsOf, type Storage } from './operands.js';
import { operatorFamilies } from './operators/index.js';
import {
  type ElementArray,
  type KernelName,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  Resources,
  type SharedState,
  type Turns,
} from './operators/operator.js';
import { checkDataflow, reachable, refuseUnknownTypes, refuseUnsupported, subgraphOf } from './subgraphs.js';

/** A bound subgraph. */
export interface BoundSubgraph {
  readonly operands: readonly Operand[];
  readonly operators: readonly OperatorContext[];
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
}

/** The subgraph to run, and those that its operators call. */
export interface Graph extends BoundSubgraph {
  /** All of them by index, the one to run first. */
  readonly subgraphs: ReadonlyMap<number, BoundSubgraph>;
  /** Not sealed yet: kernels may still reserve memory. The data of computed tensors exists after sealing. */
  readonly memory: LinearMemory;
  readonly shared: GraphState;
}

/** Objects shared by the operators; the interpreter adds the function that invokes a subgraph. */
export interface GraphState extends SharedState {
  readonly invocations: Map<number, () => Turns>;
}

/** Largest size that signed 32-bit offsets can address, minus one page. */
const addressableBytes = 2 ** 31 - 2 ** 16;

/** Default limit for all tensors of a model; ATOLL_MAX_TENSOR_MIB overrides it. */
const quarterOfMemory = totalmem() / 4;

function maxTensorBytes(): number {
  const asked = Number(process.env.ATOLL_MAX_TENSOR_MIB ?? Number.NaN) * 2 ** 20;
  return Math.min(addressableBytes, asked > 0 ? asked : quarterOfMemory);
}

/** Byte size of a tensor as if its dimensions of 0 were 1. */
const maxEmptyBytes = 2 ** 20;

const highestRank = 16;

/** Input shapes that replace those of the file, by tensor index. */
export type InputShapes = ReadonlyMap<number, readonly number[]>;

/**
 * Binds a subgraph, the main one by default, and those that it calls.
 * @throws OPERATORS_UNSUPPORTED with all missing operators, OPERATOR_INVALID, TENSOR_SHAPE_DYNAMIC, TENSOR_TOO_LARGE,
 * TFLITE_INVALID
 */
export function buildGraph(model: Model, arithmetic: Arithmetic, start = 0): Graph {
  refuseUnsupported(model, start);
  return bindGraph(model, arithmetic, true, start);
}

/** Like buildGraph, without memory, and also for operators without a kernel: to query shapes. */
export function describeGraph(
  model: Model,
  arithmetic: Arithmetic,
  start = 0,
  inputShapes: InputShapes = new Map(),
): Graph {
  refuseUnknownTypes(model, start);
  return bindGraph(model, arithmetic, false, start, inputShapes);
}

function bindGraph(
  model: Model,
  arithmetic: Arithmetic,
  allocate: boolean,
  start: number,
  inputShapes: InputShapes = new Map(),
): Graph {
  const memory = new LinearMemory();
  const subgraphs = new Map<number, BoundSubgraph>();
  const invocations = new Map<number, () => Turns>();
  const shared: GraphState = {
    invocations,
    resources: new Resources(),
    done: new Set(),
    subgraph: (index) => {
      const subgraph = subgraphs.get(index);
      if (subgraph === undefined)
        throw fail('TFLITE_INVALID', { reason: `there is no subgraph ${index}`, where: 'an operator that calls one' });
      return {
        inputs: subgraph.inputs,
        outputs: subgraph.outputs,
        invoke: () => defined(invocations.get(index))(),
      };
    },
  };
  for (const index of reachable(model, start)) {
    const binding = new Binding(model, index, memory, arithmetic, shared, index === start ? inputShapes : new Map());
    subgraphs.set(index, binding.bound());
    if (allocate) binding.allocate();
  }
  return { ...defined(subgraphs.get(start)), subgraphs, memory, shared };
}

/** Binds one subgraph, operator after operator: output shapes follow from input shapes. */
class Binding {
  private readonly subgraph;
  private readonly operands: (Operand | undefined)[] = [];
  private readonly addresses = new Map<number, number>();
  /** What computes a tensor that is known before the model runs. */
  private readonly folded = new Map<number, Folded>();
  /** Tensors that depend on a shape which differs from the file's. */
  private readonly stale = new Set<number>();

  constructor(
    private readonly model: Model,
    private readonly at: number,
    private readonly memory: LinearMemory,
    private readonly arithmetic: Arithmetic,
    private readonly shared: SharedState,
    private readonly inputShapes: InputShapes,
  ) {
    this.subgraph = subgraphOf(model, at);
    // Custom operators of an accelerator's compiler have scratch inputs that nothing writes.
    if (compiledFor(model) === null) checkDataflow(model, this.subgraph);
  }

  bound(): BoundSubgraph {
    const { inputs, operators, outputs, tensors } = this.subgraph;
    for (const input of inputs ?? [])
      this.operands[input] = this.bind(input, this.inputShapes.get(input) ?? this.stored(input));
    const contexts = operators.map((operator, index) => this.bindOperator(operator, index));
    return {
      operands: tensors.map((_, index) => this.operand(index)),
      operators: contexts,
      inputs: Array.from(inputs ?? [], (index) => this.operand(index)),
      outputs: Array.from(outputs ?? [], (index) => this.operand(index)),
    };
  }

  /** Places every computed tensor: one region planned as on the device, and variables separately. */
  allocate(): void {
    const operands = this.subgraph.tensors.map((_, index) => this.operand(index));
    const plan = greedyPlan(tensorRequests(this.model, this.subgraph, operands));
    const most = maxTensorBytes();
    if (plan.headBytes > most) throw fail('TENSOR_TOO_LARGE', { bytes: plan.headBytes, limit: most });
    const region = this.memory.reserve(plan.headBytes);
    for (const { index } of operands) this.addresses.set(index, region);
    for (const { tensor, offset } of plan.buffers) if (tensor !== null) this.addresses.set(tensor, region + offset);
    for (const { index, variable, type, count } of operands)
      if (variable) this.addresses.set(index, this.memory.reserve(bytesOfElements(type, count)));
  }

  private intermediate(index: number): OperatorContext['intermediates'][number] {
    const quantization = index < 0 ? null : this.tensor(index).quantization;
    return { scale: quantization?.scale?.[0] ?? 0, zeroPoint: Number(quantization?.zeroPoint?.[0] ?? 0n) };
  }

  private bindOperator(operator: Operator, index: number): OperatorContext {
    const name = operatorName(this.model, operator) as KernelName;
    const family = operatorFamilies.get(name);
    const outputs = Array.from(operator.outputs ?? []);
    const context = {
      place: `operator ${index} ${name}${this.at === 0 ? '' : ` of subgraph ${this.at}`}`,
      name,
      inputs: Array.from(operator.inputs ?? [], (input) => (input < 0 ? null : this.operand(input))),
      outputs: outputs.map((output) => this.bindUnchecked(output, Array.from(this.tensor(output).shape ?? []))),
      intermediates: Array.from(operator.intermediates ?? [], (index) => this.intermediate(index)),
      options: operator.builtinOptions,
      customOptions: operator.customOptions as Uint8Array | null,
      arithmetic: this.arithmetic,
      shared: this.shared,
    };
    const shapes = family === undefined ? null : this.shapesBy(family, context);
    const reshaped = context.inputs.some((input) => input !== null && this.isStale(input));
    const known = family !== undefined && this.isKnown(family, context);
    const folded = known
      ? new Folded(
          family,
          context.inputs.flatMap((input) => (input === null ? [] : (this.folded.get(input.index) ?? []))),
        )
      : null;
    for (const [i, output] of outputs.entries()) {
      const shape = this.outputShape(context, output, shapes?.[i], reshaped, family);
      if (reshaped) this.stale.add(output);
      this.operands[output] = this.bind(
        output,
        shape,
        folded === null ? undefined : { kind: 'known', elements: () => folded.elements(i) },
      );
    }
    const bound = { ...context, outputs: outputs.map((output) => this.operand(output)) };
    if (folded !== null) {
      folded.context = bound;
      for (const output of outputs) this.folded.set(output, folded);
    }
    return bound;
  }

  /** Whether the outputs can be computed before the model runs. */
  private isKnown({ dependsOn }: OperatorFamily, { inputs, outputs }: OperatorContext): boolean {
    if (outputs.some(({ variable }) => variable)) return false;
    return (
      dependsOn === 'shapes' ||
      (dependsOn === undefined && inputs.length > 0 && inputs.every((input) => input?.constant ?? true))
    );
  }

  private isStale({ index, shape }: Operand): boolean {
    return this.stale.has(index) || !sameShape(shape, this.tensor(index).shape);
  }

  private shapesBy(family: OperatorFamily, context: OperatorContext): readonly (readonly number[])[] | null {
    try {
      return family.shapes(context);
    } catch (error) {
      const guessed = Array.from(this.subgraph.inputs ?? []).filter((input) =>
        this.tensor(input).shapeSignature?.some((size) => size < 0),
      );
      if (guessed.length === 0 || !(error instanceof AtollError)) throw error;
      const labels = guessed.map(
        (input) => `${tensorLabel(input, this.tensor(input))} as [${this.operand(input).shape.join(', ')}]`,
      );
      throw fail(
        'TENSOR_SHAPE_DYNAMIC',
        { what: `${error.message}, with input ${labels.join(', ')}, whose sizes are free` },
        error,
      );
    }
  }

  /** Shapes of computed tensors in the file are only hints, as in TensorFlow Lite: the computed shape counts. */
  private outputShape(
    context: OperatorContext,
    index: number,
    shape: readonly number[] | undefined,
    reshaped: boolean,
    family: OperatorFamily | undefined,
  ): readonly number[] {
    const tensor = this.tensor(index);
    const free = [...(tensor.shape ?? []), ...(tensor.shapeSignature ?? [])].some((size) => size < 0);
    if (shape === undefined) {
      if (!free && !reshaped) return this.stored(index);
      throw fail('TENSOR_SHAPE_DYNAMIC', {
        what:
          `${context.place} gives tensor ${tensorLabel(index, tensor)} a shape that depends on the values of its ` +
          'inputs',
      });
    }
    const stored =
      !free &&
      !reshaped &&
      family?.takesStoredShape === true &&
      elementCount(shape) === elementCount(tensor.shape ?? []);
    return stored ? this.stored(index) : shape;
  }

  private bind(index: number, shape: readonly number[], storage?: Storage): Operand {
    this.requireShape(index, shape);
    return this.bindUnchecked(index, shape, storage);
  }

  private bindUnchecked(index: number, shape: readonly number[], storage?: Storage): Operand {
    return bindTensor(
      this.model,
      this.tensor(index),
      index,
      shape,
      storage ?? {
        kind: 'computed',
        address: () => defined(this.addresses.get(index)),
        buffer: () => this.memory.buffer,
      },
    );
  }

  /** Checked before a shape is used: whole numbers from 0, within the host's limits. */
  private requireShape(index: number, shape: readonly number[]): void {
    const tensor = this.tensor(index);
    if (shape.length > highestRank || shape.some((size) => !Number.isInteger(size) || size < 0)) {
      throw fail('TFLITE_INVALID', {
        reason: `a shape of [${shape.slice(0, highestRank + 1).join(', ')}]`,
        where: `tensor ${tensorLabel(index, tensor)}`,
      });
    }
    const type = elementTypeOf(tensor);
    const bytes = type === null ? 0 : bytesOfElements(type, elementCount(shape.map((size) => Math.max(1, size))));
    const limit = shape.includes(0) ? maxEmptyBytes : maxTensorBytes();
    if (bytes > limit) throw fail('TENSOR_TOO_LARGE', { bytes, limit });
  }

  private operand(index: number): Operand {
    const bound = this.operands[index] ?? this.bind(index, this.stored(index));
    this.operands[index] = bound;
    return bound;
  }

  private tensor(index: number): Tensor {
    return elementAt(this.subgraph.tensors, index);
  }

  private stored(index: number): number[] {
    return staticShape(index, this.tensor(index));
  }
}

function sameShape(shape: readonly number[], stored: Int32Array | null): boolean {
  return shape.length === (stored?.length ?? 0) && shape.every((size, d) => size === stored?.[d]);
}

/** An operator whose outputs are known before the model runs: its plain kernel computes them on first use. */
class Folded {
  context: OperatorContext | null = null;
  private arrays: readonly ElementArray[] | null = null;

  /** @param before the folded operators whose outputs it reads */
  constructor(
    private readonly family: OperatorFamily,
    private readonly before: readonly Folded[],
  ) {}

  elements(output: number): ElementArray {
    // Iterative rather than recursive: there may be thousands.
    const waiting: Folded[] = [this];
    for (let next = waiting.at(-1); next !== undefined; next = waiting.at(-1)) {
      const missing = next.arrays === null ? next.before.filter(({ arrays }) => arrays === null) : [];
      if (missing.length > 0) waiting.push(...missing);
      else waiting.pop()?.compute();
    }
    return elementAt(this.arrays ?? [], output);
  }

  private compute(): void {
    if (this.arrays !== null) return;
    if (this.context === null)
      throw fail('INTERNAL', { reason: 'values were requested before the operator was bound' });
    // The kernel itself accesses the arrays that it fills.
    this.arrays = this.context.outputs.map(elementsOf);
    this.family.prepare(this.context)();
  }
}
