// The reasons why a model does not fit a target: each with a code and a description.

import { elementAt } from '../base/checked.js';
import { compiledFor, type Model, mainSubgraph, TensorType, tensorLabel, typeName } from '../formats/tflite/index.js';
import {
  type Arena,
  type BrokenLimit,
  listOperators,
  type MissingOperator,
  type Runtime,
  runtimeNames,
} from '../simulator/index.js';
import type { Budget } from './budget.js';
import type { OperatorPlacement } from './cpu-placement.js';
import type { Target } from './load.js';
import { memoryMap } from './memory-map.js';

/** A reason why a model does not fit. */
export interface CheckReason {
  readonly code:
    | 'OPERATOR'
    | 'FLASH'
    | 'ARENA'
    | 'TYPE'
    | 'FLOAT'
    | 'DYNAMIC_RANGE'
    | 'COMPILED'
    | 'SIMULATOR'
    | 'RUNTIME_LIMIT';
  readonly message: string;
  /** What would help. */
  readonly advice: CheckAdvice;
}

/** What would help a model that does not fit a target. */
export type CheckAdvice =
  | 'replace-operators'
  | 'supported-operators'
  | 'smaller-model'
  | 'smaller-arena'
  | 'quantize'
  | 'quantize-float-model'
  | 'quantize-again'
  | 'integer-io'
  | 'uncompiled-model';

/** The target does not accept this kind of file: compiled, entirely float, or with float inputs or outputs. */
export function kindReasons(model: Model, target: Target): CheckReason[] {
  const compiled = compiledReasons(model, target);
  return compiled.length > 0 ? compiled : edgeTypeReasons(model, target);
}

export function operatorReasons(operators: readonly OperatorPlacement[], { id }: Target): CheckReason[] {
  const unsupported = operators.filter(({ placed }) => placed === 'unsupported');
  if (unsupported.length === 0) return [];
  const list = unsupported.map(({ index, op, reason }) => `operator ${index} ${op} (${reason})`).join('; ');
  return [
    {
      code: 'OPERATOR',
      message: `${unsupported.length} operator(s) do not run on ${id}: ${list}`,
      advice: 'replace-operators',
    },
  ];
}

export function flashReasons(flashBytes: number, { slotBytes }: Budget, { id }: Target): CheckReason[] {
  if (slotBytes === null || flashBytes <= slotBytes) return [];
  return [
    {
      code: 'FLASH',
      message:
        `the model needs ${flashBytes} bytes of flash; a slot of ${id} has ${slotBytes} ` +
        `(${flashBytes - slotBytes} too many)`,
      advice: 'smaller-model',
    },
  ];
}

export function simulatorReasons(missing: readonly MissingOperator[]): CheckReason[] {
  if (missing.length === 0) return [];
  return [
    {
      code: 'SIMULATOR',
      message:
        `the simulator does not support ${missing.length} operator(s) of this model, so its arena and latency ` +
        `are unknown: ${listOperators(missing)}`,
      advice: 'supported-operators',
    },
  ];
}

/** Maximum number of limits that are listed one by one. */
const namedLimits = 4;

/**
 * Operators that the runtime rejects in Prepare, with an error or an abort. Unsupported types are reported separately.
 */
export function limitReasons(limits: readonly BrokenLimit[], runtime: Runtime): CheckReason[] {
  const refused = limits.filter(({ severity, about }) => severity === 'refused' && about !== 'types');
  if (refused.length === 0) return [];
  const named = refused.slice(0, namedLimits).map(({ place, reason }) => `${place}: ${reason}`);
  const more = refused.length > namedLimits ? [`${refused.length - namedLimits} more`] : [];
  return [
    {
      code: 'RUNTIME_LIMIT',
      message:
        `${runtimeNames[runtime]} refuses ${refused.length} operator(s) when it prepares them: ` +
        `${[...named, ...more].join('; ')}`,
      advice: refused.every(({ about }) => about === 'numbers') ? 'quantize-again' : 'replace-operators',
    },
  ];
}

export function arenaReasons(model: Model, arena: Arena | null, { arenaBytes }: Budget, { id }: Target): CheckReason[] {
  if (arena === null || arena.minimumArenaBytes <= arenaBytes) return [];
  const { minimumArenaBytes } = arena;
  return [
    {
      code: 'ARENA',
      message:
        `the interpreter needs an arena of ${minimumArenaBytes} bytes; ${id} has ${arenaBytes} ` +
        `(${minimumArenaBytes - arenaBytes} too many); ${peakText(model, arena)}`,
      advice: 'smaller-arena',
    },
  ];
}

/** The tensors and the operator at the arena's peak. */
function peakText(model: Model, arena: Arena): string {
  const { peak, tailBytes } = memoryMap(model, arena);
  const largest = peak.buffers.slice(0, 3).map(({ label, size }) => `${label} (${size})`);
  const place = peak.operator === null ? 'before the first operator' : `at operator ${peak.operator} ${peak.op}`;
  return `the peak of ${peak.liveBytes} bytes is ${place}: ${largest.join(', ')}; ${tailBytes} bytes are persistent`;
}

/** Inputs and outputs must have types that the target's file accepts; an entirely float model is reported once. */
function edgeTypeReasons(model: Model, target: Target): CheckReason[] {
  if (target.activationTypes.includes('float32')) return [];
  const { tensors, inputs, outputs, operators } = mainSubgraph(model);
  const isFloat = (index: number): boolean => typeName(elementAt(tensors, index).type) === 'float32';
  const wrong = [...(inputs ?? []), ...(outputs ?? [])].filter(isFloat);
  const integer = operators.some(({ outputs: made }) =>
    ['int8', 'uint8', 'int16'].includes(typeName(tensors[made?.[0] ?? -1]?.type ?? TensorType.FLOAT32)),
  );
  const named = wrong.map((index) => tensorLabel(index, elementAt(tensors, index))).join(', ');
  const takes = `${target.id} accepts ${target.activationTypes.join(', ')}`;
  if (wrong.length > 0 && !integer) {
    const hybrid = operators.some(
      ({ inputs: read }) => typeName(tensors[read?.[1] ?? -1]?.type ?? TensorType.FLOAT32) === 'int8',
    );
    return hybrid
      ? [
          {
            code: 'DYNAMIC_RANGE',
            message: `the weights are int8, but it computes in float32 (dynamic range); ${takes}`,
            advice: 'quantize-float-model',
          },
        ]
      : [{ code: 'FLOAT', message: `the model is float32: tensor ${named}; ${takes}`, advice: 'quantize' }];
  }
  return wrong.map((index) => ({
    code: 'TYPE' as const,
    message: `tensor ${tensorLabel(index, elementAt(tensors, index))} is float32; ${takes}`,
    advice: 'integer-io' as const,
  }));
}

/** A compiled model can no longer be placed, planned or simulated. */
function compiledReasons(model: Model, target: Target): CheckReason[] {
  const compiled = compiledFor(model);
  if (compiled === null) return [];
  const { accelerator, compiler, operators } = compiled;
  const npu = target.runtime.kernels === 'edgetpu' && compiler === 'edgetpu_compiler';
  return [
    {
      code: 'COMPILED',
      message:
        `the model is already compiled for ${accelerator}, by ${compiler} (${operators.length} custom ` +
        `operator(s))${npu ? ', and its content cannot be checked' : `, which ${target.id} does not have`}`,
      advice: 'uncompiled-model',
    },
  ];
}
