// Runs a model on the host, bit for bit like the kernels of the profile.

import { fail } from '../base/errors.js';
import { yieldToEventLoop } from '../base/event-loop.js';
import { bytesOfElements, type ElementType, elementCount, type Model } from '../formats/tflite/index.js';
import { defaultKernelProfile, type KernelProfile, kernelProfiles } from './arithmetic/profile.js';
import { type Extremes, extremesOf, fastExtremesOf } from './extremes.js';
import { fastKernels } from './fast/index.js';
import { buildGraph, describeGraph, type Graph } from './graph.js';
import { heartbeat, noLimit, type TimeLimit } from './heartbeat.js';
import { hasKernels, type Kernels, kernelsOn, type LinearMemory } from './kernels/index.js';
import { integerOperators, requireLimits } from './limits/index.js';
import { operatorFamilies } from './operators/index.js';
import type { Operand, OperatorContext, Step, Turns } from './operators/operator.js';
import { inputNames, outputNames, signatureNames, subgraphOfSignature } from './signature.js';

/** An input or output of a model. */
export interface TensorInfo {
  readonly index: number;
  /** Name in the signature, or the tensor's own name. */
  readonly name: string;
  /** Signature name of an input or output of the main subgraph, if `name` is the tensor name. */
  readonly alias?: string;
  readonly type: ElementType;
  /** Dimensions, the batch first. */
  readonly shape: readonly number[];
  /** Size in bytes. */
  readonly bytes: number;
  /** null if the tensor is not quantized. */
  readonly quantization: { readonly scale: number; readonly zeroPoint: number } | null;
}

/** Called after each operator, while its inputs and outputs are still valid. */
export type OperatorHook = (operator: number, outputs: readonly Operand[]) => void;

/** Kernel profile, signature, and whether operators are timed. */
export interface InterpreterOptions {
  /** Kernel profile. Naming one also applies the limits of its runtime to the model. */
  readonly profile?: KernelProfile | undefined;
  /**
   * `fast` uses the WebAssembly kernels where available, `plain` only those in TypeScript, `checked` the former with
   * bounds assertions. All give the same bits.
   */
  readonly kernels?: 'fast' | 'plain' | 'checked';
  /** A run that takes longer, in milliseconds, ends with RUN_TIMEOUT. */
  readonly limitMs?: number | undefined;
  /** Runs the subgraph of this signature instead of the main one. */
  readonly signature?: string | undefined;
}

/** Runs a model on the host, bit for bit as the kernels of a profile do. */
export class Interpreter {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  private readonly graph: Graph;
  private readonly steps: readonly Step[];
  private readonly kernels: Kernels | null;
  private readonly limit: TimeLimit = noLimit();

  /**
   * @throws SIGNATURE_UNKNOWN, OPERATORS_UNSUPPORTED, OPERATOR_INVALID, RUNTIME_REFUSES, TENSOR_SHAPE_DYNAMIC,
   * TENSOR_TOO_LARGE, TFLITE_INVALID
   */
  constructor(model: Model, { profile, kernels = 'fast', signature, limitMs = Infinity }: InterpreterOptions = {}) {
    const arithmetic = kernelProfiles[profile ?? defaultKernelProfile];
    if (arithmetic === undefined)
      throw fail('USAGE', {
        reason: `no kernel profile is named ${profile}; there are ${Object.keys(kernelProfiles).join(', ')}`,
      });
    const start = subgraphOfSignature(model, signature);
    this.graph = buildGraph(model, arithmetic, start);
    if (profile !== undefined) requireLimits(integerOperators(this.graph), arithmetic.runtime);
    this.limit.ms = limitMs;
    const prepared = prepareSteps(this.graph, kernels, start, this.limit);
    this.steps = prepared.steps;
    this.kernels = prepared.kernels;
    const { inputs, outputs } = tensorInfos(model, this.graph, signature);
    this.inputs = inputs;
    this.outputs = outputs;
    this.reset();
  }

  /** The operators in execution order, with the shape of their first output. */
  get operators(): readonly { readonly name: string; readonly shape: readonly number[] }[] {
    return this.graph.operators.map(({ name, outputs }) => ({ name, shape: outputs[0]?.shape ?? [] }));
  }

  /** Bytes of all inputs of one sample, back to back in order. */
  get inputBytes(): number {
    return this.inputs.reduce((sum, input) => sum + input.bytes, 0);
  }

  /** Bytes of all outputs together. */
  get outputBytes(): number {
    return this.outputs.reduce((sum, output) => sum + output.bytes, 0);
  }

  /** @param bytes little-endian elements of the input's type, of exactly the input's size */
  setInput(position: number, bytes: Uint8Array): void {
    const operand = this.graph.inputs[position];
    if (operand === undefined) throw fail('INTERNAL', { reason: `no input ${position}` });
    const target = bytesOf(operand);
    if (bytes.byteLength !== target.byteLength) {
      throw fail('INPUT_SIZE', {
        where: `input ${operand.label}`,
        bytes: bytes.byteLength,
        sampleBytes: target.byteLength,
      });
    }
    target.set(bytes);
  }

  /** Resets every variable to its initial value: 0, or the zero point for int8 (TFLM ResetVariableTensors). */
  reset(): void {
    for (const { operands } of this.graph.subgraphs.values()) {
      for (const operand of operands)
        if (operand.variable) bytesOf(operand).fill(operand.type === 'int8' ? (operand.zeroPoint[0] ?? 0) : 0);
    }
    this.graph.shared.resources.reset();
    this.graph.shared.done.clear();
  }

  /** Computes the outputs from the inputs; variables keep their values from the last invocation. @throws RUN_TIMEOUT */
  invoke(hook?: OperatorHook): void {
    const turns = this.invocation(hook);
    while (turns.next().done !== true);
  }

  private *invocation(hook?: OperatorHook): Turns {
    if (this.limit.ms < Infinity) this.limit.end = performance.now() + this.limit.ms;
    for (let i = 0; i < this.steps.length; i++) {
      heartbeat(this.limit);
      const turns = this.steps[i]?.();
      if (turns !== undefined) yield* turns;
      hook?.(i, this.graph.operators[i]?.outputs ?? []);
      yield;
    }
  }

  /** Values of a float tensor, for hooks. */
  extremesOf(operand: Operand): Extremes {
    return this.kernels === null ? extremesOf(operand.data as Float32Array) : fastExtremesOf(this.kernels, operand);
  }

  /** A copy of an output's bytes. */
  output(position: number): Uint8Array {
    const operand = this.graph.outputs[position];
    if (operand === undefined) throw fail('INTERNAL', { reason: `no output ${position}` });
    return bytesOf(operand).slice();
  }

  /**
   * Runs one sample independently: variables are reset before.
   * @param sample all inputs back to back, `inputBytes` in total
   * @returns all outputs back to back
   */
  run(sample: Uint8Array, hook?: OperatorHook): Uint8Array {
    this.reset();
    return this.stream(sample, hook);
  }

  /** Like `run`, but continues from the previous samples: variables keep their values. */
  stream(sample: Uint8Array, hook?: OperatorHook): Uint8Array {
    this.setSample(sample);
    this.invoke(hook);
    return this.allOutputs();
  }

  /**
   * Like `stream`, but yields to the event loop between operators, so that signals and other work are handled. Do not
   * start another sample before the promise settles.
   * @throws RUN_TIMEOUT, INPUT_SIZE, and the reason of an aborted signal
   */
  async streamInTurns(sample: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    this.setSample(sample);
    const turns = this.invocation();
    while (turns.next().done !== true) await yieldToEventLoop(signal);
    return this.allOutputs();
  }

  /** @throws INPUT_SIZE */
  private setSample(sample: Uint8Array): void {
    if (sample.byteLength !== this.inputBytes) {
      throw fail('INPUT_SIZE', { where: 'the sample', bytes: sample.byteLength, sampleBytes: this.inputBytes });
    }
    let at = 0;
    this.inputs.forEach((input, i) => {
      this.setInput(i, sample.subarray(at, at + input.bytes));
      at += input.bytes;
    });
  }

  private allOutputs(): Uint8Array {
    const out = new Uint8Array(this.outputBytes);
    let to = 0;
    for (const operand of this.graph.outputs) {
      out.set(bytesOf(operand), to);
      to += operand.data.byteLength;
    }
    return out;
  }
}

/**
 * One function per operator of the subgraph to run; operators of other subgraphs are called by these. The plain
 * kernel's preparation checks every operator, whichever kernel runs.
 */
function prepareSteps(
  { subgraphs, memory, shared }: Graph,
  choice: 'fast' | 'plain' | 'checked',
  start: number,
  limit: TimeLimit,
): { readonly steps: Step[]; readonly kernels: Kernels | null } {
  const build = choice === 'plain' || !hasKernels(choice) ? null : choice;
  const tensorsEnd = memory.end;
  const contexts = [...subgraphs.values()].flatMap(({ operators }) => operators);
  const fast = new Map(
    contexts.map((context) => [
      context,
      build === null || isKnown(context) ? null : (fastKernels.get(context.name)?.(context, memory) ?? null),
    ]),
  );
  const regionsAt = memory.reserve(
    build === 'checked'
      ? 8 * Math.max(0, ...contexts.map(({ inputs, outputs }) => inputs.length + outputs.length + 1))
      : 0,
  );
  memory.seal(build !== null);
  const kernels = build === null || memory.memory === null ? null : kernelsOn(memory.memory, build);
  const stepOf = (context: OperatorContext): Step => {
    const family = operatorFamilies.get(context.name);
    if (family === undefined) throw fail('INTERNAL', { reason: `${context.name} has no kernel` });
    if (isKnown(context)) {
      // Computed now rather than on first use, so that errors are reported early.
      for (const { data } of context.outputs) data.at(0);
      return () => undefined;
    }
    const plain = family.prepare(context);
    const step = fast.get(context) ?? null;
    // WebAssembly kernels require at least one output element.
    if (step === null || kernels === null || context.outputs.every(({ count }) => count === 0)) return plain;
    const { scratchAt } = memory;
    const compute = (): void => step(kernels, scratchAt);
    return build === 'checked' ? withRegions(compute, context, kernels, memory, tensorsEnd, regionsAt) : compute;
  };
  for (const [index, { operators }] of subgraphs) {
    if (index === start) continue;
    const steps = operators.map(stepOf);
    shared.invocations.set(index, function* () {
      heartbeat(limit);
      for (const step of steps) {
        heartbeat(limit);
        const turns = step();
        if (turns !== undefined) yield* turns;
        yield;
      }
    });
  }
  // The checked kernels accept only memory that is declared for an operator.
  return { steps: (subgraphs.get(start)?.operators ?? []).map(stepOf), kernels: build === 'checked' ? null : kernels };
}

/** Whether the outputs are known before the model runs. */
function isKnown({ outputs }: OperatorContext): boolean {
  return outputs.length > 0 && outputs.every(({ constant }) => constant);
}

/** Declares the memory that an operator may access to the checked kernels: its tensors, and what kernels reserved. */
function withRegions(
  compute: () => void,
  context: OperatorContext,
  kernels: Kernels,
  memory: LinearMemory,
  tensorsEnd: number,
  table: number,
): () => void {
  const tensors = [...context.inputs, ...context.outputs].flatMap((operand) =>
    operand === null || operand.address === null ? [] : [operand.address, operand.address + operand.data.byteLength],
  );
  const regions = Uint32Array.of(...tensors, tensorsEnd, memory.end);
  return () => {
    new Uint32Array(memory.buffer, table, regions.length).set(regions);
    kernels.setRegions(table, regions.length / 2);
    compute();
  };
}

/**
 * Inputs and outputs of a model as an Interpreter would have them, without kernels and memory.
 * @throws SIGNATURE_UNKNOWN, TENSOR_SHAPE_DYNAMIC, OPERATOR_INVALID, TFLITE_INVALID
 */
export function inputsAndOutputs(
  model: Model,
  signature?: string,
): { readonly inputs: readonly TensorInfo[]; readonly outputs: readonly TensorInfo[] } {
  return tensorInfos(
    model,
    describeGraph(model, kernelProfiles[defaultKernelProfile], subgraphOfSignature(model, signature)),
    signature,
  );
}

function tensorInfos(
  model: Model,
  graph: Graph,
  signature: string | undefined,
): { inputs: readonly TensorInfo[]; outputs: readonly TensorInfo[] } {
  const [inputs, outputs] = [inputNames(model, signature), outputNames(model, signature)];
  const aliasesOf = (side: 'inputs' | 'outputs'): (string | null)[] =>
    signature === undefined ? signatureNames(model, side) : [];
  const [inputAliases, outputAliases] = [aliasesOf('inputs'), aliasesOf('outputs')];
  return {
    inputs: graph.inputs.map((operand, i) => ({
      ...describeOperand(operand, inputs[i] ?? ''),
      ...aliasOf(inputAliases[i] ?? null, inputs[i] ?? ''),
    })),
    outputs: graph.outputs.map((operand, i) => ({
      ...describeOperand(operand, outputs[i] ?? ''),
      ...aliasOf(outputAliases[i] ?? null, outputs[i] ?? ''),
    })),
  };
}

const aliasOf = (alias: string | null, name: string): { alias?: string } =>
  alias === null || alias === name ? {} : { alias };

function describeOperand({ index, type, shape, scale, zeroPoint }: Operand, name: string): TensorInfo {
  return {
    index,
    name,
    type,
    shape,
    bytes: bytesOfElements(type, elementCount(shape)),
    quantization: scale[0] === undefined ? null : { scale: scale[0], zeroPoint: zeroPoint[0] ?? 0 },
  };
}

export function bytesOf(operand: Operand): Uint8Array {
  return new Uint8Array(operand.data.buffer, operand.data.byteOffset, operand.data.byteLength);
}
