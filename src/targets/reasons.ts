// The reasons why a model does not fit a target: each with a code, a description and a suggestion.

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
  readonly hint: string;
}

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
      hint: 'replace these operators in the model, or cut it before them',
    },
  ];
}

export function flashReasons(flashBytes: number, { slotBytes }: Budget, { id }: Target): CheckReason[] {
  if (slotBytes === null || flashBytes <= slotBytes) return [];
  return [
    {
      code: 'FLASH',
      message: `the model takes ${flashBytes} bytes of flash; a slot of ${id} has ${slotBytes} (${flashBytes - slotBytes} too many)`,
      hint: 'use a smaller model, or a board with more flash',
    },
  ];
}

export function simulatorReasons(missing: readonly MissingOperator[]): CheckReason[] {
  if (missing.length === 0) return [];
  return [
    {
      code: 'SIMULATOR',
      message: `the simulator lacks ${missing.length} operator(s) of this model, so its arena and latency are unknown: ${listOperators(missing)}`,
      hint: 'replace these operators in the model, or cut it before them; docs/operators.md lists what runs',
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
      message: `${runtimeNames[runtime]} refuses ${refused.length} operator(s) when it prepares them: ${[...named, ...more].join('; ')}`,
      hint: refused.every(({ about }) => about === 'numbers')
        ? 'quantize the float model with `atoll quantize`, whose scales and zero points keep the limits of both runtimes'
        : 'replace these operators in the model, or cut it before them',
    },
  ];
}

export function arenaReasons(model: Model, arena: Arena | null, { arenaBytes }: Budget, { id }: Target): CheckReason[] {
  if (arena === null || arena.minimumArenaBytes <= arenaBytes) return [];
  const { minimumArenaBytes } = arena;
  return [
    {
      code: 'ARENA',
      message: `the interpreter needs an arena of ${minimumArenaBytes} bytes; ${id} has ${arenaBytes} (${minimumArenaBytes - arenaBytes} too many)`,
      hint: peakText(model, arena),
    },
  ];
}

/** The tensors and the operator at the arena's peak. */
function peakText(model: Model, arena: Arena): string {
  const { peak, tailBytes } = memoryMap(model, arena);
  const largest = peak.buffers.slice(0, 3).map(({ label, size }) => `${label} (${size})`);
  const place = peak.operator === null ? 'before the first operator' : `at operator ${peak.operator} ${peak.op}`;
  return `most is alive ${place}, ${peak.liveBytes} bytes: ${largest.join(', ')}; ${tailBytes} bytes last as long as the interpreter`;
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
  const takes = `${target.id} takes ${target.activationTypes.join(', ')}`;
  const hint = 'quantize the model: `atoll quantize MODEL --calibrate DATASET -o OUT`';
  if (wrong.length > 0 && !integer) {
    const hybrid = operators.some(
      ({ inputs: read }) => typeName(tensors[read?.[1] ?? -1]?.type ?? TensorType.FLOAT32) === 'int8',
    );
    return hybrid
      ? [
          {
            code: 'DYNAMIC_RANGE',
            message: `the weights are int8, but all it computes is float32 (dynamic range); ${takes}`,
            hint: `${hint}, from the float model`,
          },
        ]
      : [{ code: 'FLOAT', message: `the model is float32: tensor ${named}; ${takes}`, hint }];
  }
  return wrong.map((index) => ({
    code: 'TYPE' as const,
    message: `tensor ${tensorLabel(index, elementAt(tensors, index))} is float32; ${takes}`,
    hint: 'make inputs and outputs integers too: `atoll quantize` with --io int8 (or uint8)',
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
      message: `the model is compiled for ${accelerator} already, by ${compiler} (${operators.length} custom operator(s))${npu ? ', and what is in it cannot be checked' : `, which ${target.id} has not`}`,
      hint: 'check the .tflite file that it was compiled from; `atoll inspect` shows what the compiled one holds',
    },
  ];
}
