// A compiled model with its uncompiled one: the simulator computes with the latter what the Edge TPU would compute.

import { elementAt } from '../../../base/checked.js';
import { fail } from '../../../base/errors.js';
import { extract, type Model, mainSubgraph, operatorsBetween } from '../../../formats/tflite/index.js';
import { Interpreter } from '../../../simulator/index.js';
import { compiledModelOf, type Executable } from '../../../targets/compiled/index.js';
import { type AcceleratorProgram, programOf } from '../program.js';

export interface EmulatedModel {
  readonly compiled: Model;
  readonly uncompiled: Model;
}

/** A program, and a function that computes its outputs. */
export interface EmulatedProgram {
  readonly program: AcceleratorProgram;
  readonly compute: (inputs: readonly Uint8Array[]) => Computed;
}

export interface Computed {
  readonly outputs: readonly Uint8Array[];
  /** Time that the computation took. */
  readonly ms: number;
  /** Whether the result was memoized. */
  readonly remembered: boolean;
}

/** @throws EDGETPU_TWIN if they do not belong together; EDGETPU_PACKAGE_INVALID, EDGETPU_EXECUTABLE */
export function emulatedPrograms({ compiled, uncompiled }: EmulatedModel): EmulatedProgram[] {
  const parts = compiledModelOf(compiled)?.parts;
  if (parts === undefined) throw fail('EDGETPU_TWIN', { reason: 'the first is not compiled' });
  return parts.map((part) => {
    const program = programOf(part, `operator ${part.operator}`);
    return { program, compute: computing(program.main.executable, uncompiled) };
  });
}

/** Tensors keep their names when a model is compiled. */
function computing({ inputs, outputs }: Executable, uncompiled: Model): EmulatedProgram['compute'] {
  const { tensors } = mainSubgraph(uncompiled);
  const indexOf = (name: string): number => {
    const index = tensors.findIndex((tensor) => tensor.name === name);
    if (index < 0) throw fail('EDGETPU_TWIN', { reason: `the uncompiled one has no tensor ${JSON.stringify(name)}` });
    return index;
  };
  const [given, wanted] = [inputs.map(({ name }) => indexOf(name)), outputs.map(({ name }) => indexOf(name))];
  const part = extract(uncompiled, operatorsBetween(uncompiled, given, wanted), wanted);
  const missing = part.inputs.find((tensor) => !given.includes(tensor));
  if (missing !== undefined)
    throw fail('EDGETPU_TWIN', {
      reason: `the uncompiled one needs tensor ${JSON.stringify(tensors[missing]?.name)} for it`,
    });
  const interpreter = new Interpreter(part.model);
  const fits = (layers: Executable['inputs'], infos: Interpreter['inputs']): boolean =>
    infos.every(({ bytes }, i) => bytes === layers[i]?.bytes);
  const ordered = part.inputs.map((tensor) => given.indexOf(tensor));
  if (
    !fits(
      ordered.map((position) => elementAt(inputs, position)),
      interpreter.inputs,
    ) ||
    !fits(outputs, interpreter.outputs)
  )
    throw fail('EDGETPU_TWIN', { reason: 'their tensors have other sizes' });
  return memoizeCompute((samples) => {
    interpreter.reset();
    for (const [i, position] of ordered.entries()) interpreter.setInput(i, elementAt(samples, position));
    interpreter.invoke();
    return outputs.map((_, i) => interpreter.output(i));
  });
}

/** Memoizes the last result: latencies are measured with one sample, many times. */
function memoizeCompute(
  compute: (samples: readonly Uint8Array[]) => readonly Uint8Array[],
): EmulatedProgram['compute'] {
  let last: {
    readonly inputs: readonly Buffer[];
    readonly outputs: readonly Uint8Array[];
    readonly ms: number;
  } | null = null;
  return (samples) => {
    const remembered = last?.inputs.every((input, i) => input.equals(elementAt(samples, i))) === true;
    if (last === null || !remembered) {
      const inputs = samples.map((sample) => Buffer.from(sample));
      const start = performance.now();
      const outputs = compute(samples);
      last = { inputs, outputs, ms: performance.now() - start };
    }
    return { outputs: last.outputs, ms: last.ms, remembered };
  };
}
