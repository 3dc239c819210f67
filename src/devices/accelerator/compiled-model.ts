// Runs a compiled model: operators that edgetpu_compiler left to the host run on the simulator, the rest on the
// accelerator.

import { defined, elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import {
  bytesOfElements,
  constantBytes,
  elementCount,
  elementTypeOf,
  extract,
  type Model,
  mainSubgraph,
} from '../../formats/tflite/index.js';
import { Interpreter, inputsAndOutputs, type TensorInfo } from '../../simulator/index.js';
import { compiledModelOf } from '../../targets/compiled/index.js';
import type { Accelerator } from './accelerator.js';
import { type AcceleratorProgram, programOf } from './program.js';

interface HostStage {
  readonly on: 'host';
  readonly interpreter: Interpreter;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}
interface DeviceStage {
  readonly on: 'device';
  readonly program: AcceleratorProgram;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface CompiledRun {
  /** All outputs back to back. */
  readonly output: Uint8Array;
  readonly latencyMs: number;
  /** Part of it spent on the accelerator and on transfers. */
  readonly deviceMs: number;
}

export class AcceleratedModel {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  private readonly stages: readonly (HostStage | DeviceStage)[];
  /** Tensors that do not depend on the sample. */
  private readonly constants: ReadonlyMap<number, Uint8Array>;

  /**
   * @param where name of the file, for messages
   * @throws EDGETPU_PACKAGE_INVALID, EDGETPU_EXECUTABLE, EDGETPU_UNCOMPILED, OPERATORS_UNSUPPORTED and other errors of
   * the host's operators
   */
  constructor(model: Model, where: string) {
    const compiled = compiledModelOf(model);
    if (compiled === null) throw fail('EDGETPU_UNCOMPILED', { where, device: 'an Edge TPU' });
    const { inputs, outputs } = inputsAndOutputs(model);
    this.inputs = inputs;
    this.outputs = outputs;
    const graph = mainSubgraph(model);
    let next = 0;
    const stages: (HostStage | DeviceStage)[] = [];
    for (const part of compiled.parts) {
      stages.push(...hostStages(model, next, part.operator));
      const operator = graph.operators[part.operator];
      const [reads, makes] = [Array.from(operator?.inputs ?? []), Array.from(operator?.outputs ?? [])];
      const program = programOf(part, `${where}, operator ${part.operator}`);
      requireFit(program, reads, makes, model, `${where}, operator ${part.operator}`);
      stages.push({ on: 'device', program, inputs: reads, outputs: makes });
      next = part.operator + 1;
    }
    this.stages = [...stages, ...hostStages(model, next, graph.operators.length)];
    this.constants = constantsOf(model);
    requireMade(this.stages, new Set([...inputs.map(({ index }) => index), ...this.constants.keys()]), outputs, where);
    for (const { index, bytes } of outputs)
      if ((this.constants.get(index)?.byteLength ?? bytes) !== bytes)
        throw fail('EDGETPU_EXECUTABLE', {
          where,
          reason: `output ${index} is a constant whose length does not match its shape`,
        });
  }

  /** Programs of the compiled parts, in order. */
  get programs(): readonly AcceleratorProgram[] {
    return this.stages.flatMap((stage) => (stage.on === 'device' ? [stage.program] : []));
  }

  get inputBytes(): number {
    return this.inputs.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get outputBytes(): number {
    return this.outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** @param sample all inputs back to back. @throws INPUT_SIZE, EDGETPU_*, DEVICE_CLOSED */
  async run(accelerator: Accelerator, sample: Uint8Array): Promise<CompiledRun> {
    if (sample.byteLength !== this.inputBytes)
      throw fail('INPUT_SIZE', { where: 'the sample', bytes: sample.byteLength, sampleBytes: this.inputBytes });
    const start = performance.now();
    let deviceMs = 0;
    const tensors = new Map(this.constants);
    let at = 0;
    for (const { index, bytes } of this.inputs) {
      tensors.set(index, sample.subarray(at, at + bytes));
      at += bytes;
    }
    for (const stage of this.stages) {
      const given = stage.inputs.map((tensor) => defined(tensors.get(tensor)));
      const begun = performance.now();
      const made =
        stage.on === 'device' ? await accelerator.run(stage.program, given) : runOnHost(stage.interpreter, given);
      if (stage.on === 'device') deviceMs += performance.now() - begun;
      for (const [i, tensor] of stage.outputs.entries()) tensors.set(tensor, elementAt(made, i));
    }
    const output = new Uint8Array(this.outputBytes);
    let to = 0;
    for (const { index, bytes } of this.outputs) {
      output.set(defined(tensors.get(index)), to);
      to += bytes;
    }
    return { output, latencyMs: performance.now() - start, deviceMs };
  }
}

/** A host stage for a range of operators, if it is not empty. */
function hostStages(model: Model, from: number, to: number): HostStage[] {
  if (from === to) return [];
  const { operators, outputs } = mainSubgraph(model);
  const chosen = Array.from({ length: to - from }, (_, i) => from + i);
  const made = chosen.flatMap((index) => Array.from(operators[index]?.outputs ?? []));
  const readLater = new Set([
    ...operators.slice(to).flatMap(({ inputs }) => Array.from(inputs ?? [])),
    ...(outputs ?? []),
  ]);
  const part = extract(
    model,
    chosen,
    made.filter((tensor) => readLater.has(tensor)),
  );
  return [{ on: 'host', interpreter: new Interpreter(part.model), inputs: part.inputs, outputs: part.outputs }];
}

function runOnHost(interpreter: Interpreter, given: readonly Uint8Array[]): Uint8Array[] {
  interpreter.reset();
  for (const [i, bytes] of given.entries()) interpreter.setInput(i, bytes);
  interpreter.invoke();
  return interpreter.outputs.map((_, i) => interpreter.output(i));
}

function constantsOf(model: Model): Map<number, Uint8Array> {
  const { tensors } = mainSubgraph(model);
  return new Map(
    tensors.flatMap((tensor, index): [number, Uint8Array][] => {
      const bytes = constantBytes(model, tensor);
      return bytes === null ? [] : [[index, bytes]];
    }),
  );
}

/** @throws EDGETPU_EXECUTABLE if a stage reads a tensor that no earlier stage computes */
function requireMade(
  stages: readonly (HostStage | DeviceStage)[],
  made: Set<number>,
  outputs: readonly TensorInfo[],
  where: string,
): void {
  const require = (tensor: number): void => {
    if (!made.has(tensor))
      throw fail('EDGETPU_EXECUTABLE', { where, reason: `tensor ${tensor} is read before it is computed` });
  };
  for (const stage of stages) {
    stage.inputs.forEach(require);
    for (const tensor of stage.outputs) made.add(tensor);
  }
  for (const { index } of outputs) require(index);
}

/**
 * Layers correspond to the operator's tensors, in the same order (libedgetpu, custom_op.cc). @throws EDGETPU_EXECUTABLE
 */
function requireFit(
  { main: { executable } }: AcceleratorProgram,
  reads: readonly number[],
  makes: readonly number[],
  model: Model,
  where: string,
): void {
  const { tensors } = mainSubgraph(model);
  const check = (role: string, indices: readonly number[], layers: typeof executable.inputs): void => {
    if (indices.length !== layers.length)
      throw fail('EDGETPU_EXECUTABLE', {
        where,
        reason: `its operator has ${indices.length} ${role}s, its program ${layers.length}`,
      });
    for (const [i, { name, bytes, type }] of layers.entries()) {
      const tensor = tensors[elementAt(indices, i)];
      const wanted = tensor === undefined ? null : elementTypeOf(tensor);
      const tensorBytes = wanted === null ? 0 : bytesOfElements(wanted, elementCount(tensor?.shape ?? []));
      if (tensorBytes !== bytes)
        throw fail('EDGETPU_EXECUTABLE', {
          where,
          reason:
            `${role} ${name} has ${bytes} bytes of ${type}, its tensor ${tensorBytes} of ` +
            `${wanted ?? 'an unknown type'}`,
        });
    }
  };
  check('input', reads, executable.inputs);
  check('output', makes, executable.outputs);
}
