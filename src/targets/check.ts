// Does a model fit a target? Operators, flash, arena, and a latency estimate, before anything is flashed.

import { fail } from '../errors.js';
import {
  type Arena,
  arenaOf,
  inputsAndOutputs,
  type OverflowRisk,
  overflowRisks,
  type RuntimeKernels,
  simulates,
  type Work,
  workOf,
} from '../simulator/index.js';
import { edgeTpuOperator, type Model, mainSubgraph, operatorName, type Tensor, TensorType, tensorLabel, typeName } from '../tflite/index.js';
import { type Budget, budgetOf, runtimeKernelsOf } from './budget.js';
import { type OperatorPlacement, placeOnCpu } from './cpu-placement.js';
import { type NpuPlacement, type NpuPlacements, placeOnEdgeTpu } from './edgetpu/placement.js';
import { cmsisNnDifferences } from './kernel-differences.js';
import { type Estimate, estimateEnergy, estimateLatency, type LatencyEstimate } from './latency.js';
import type { Target } from './load.js';
import { type MemoryMap, memoryMap } from './memory-map.js';

export interface CheckReason {
  readonly code: 'OPERATOR' | 'FLASH' | 'ARENA' | 'TYPE' | 'FLOAT' | 'DYNAMIC_RANGE' | 'COMPILED' | 'SIMULATOR';
  readonly message: string;
  readonly hint: string;
}

/** What does not keep the model from running, but may make it wrong. */
export interface CheckWarning {
  readonly code: 'ACCUMULATOR_OVERFLOW' | 'KERNEL_DIFFERENCE';
  readonly message: string;
  readonly hint: string;
}

export interface Span {
  readonly min: number;
  readonly max: number;
}

export interface CheckResult {
  readonly target: string;
  readonly fits: boolean;
  readonly reasons: readonly CheckReason[];
  readonly warnings: readonly CheckWarning[];
  readonly operators: readonly OperatorPlacement[];
  /** Parts of the graph that an accelerator runs; null for a target without one. */
  readonly npuSubgraphs: number | null;
  readonly memory: {
    readonly flashBytes: number;
    /** null where no interpreter runs on the device, or the simulator lacks an operator. */
    readonly arenaBytes: number | null;
    readonly headBytes: number | null;
    readonly tailBytes: number | null;
    /** Parameters of what an accelerator runs; null for a target without one. */
    readonly parameterBytes: number | null;
    /** Of these, what stays in its memory, and what is sent at every inference: the least and the most. */
    readonly cachedParameterBytes: Span | null;
    readonly streamedParameterBytes: Span | null;
    readonly budgets: Budget;
  };
  readonly latencyMs: LatencyEstimate | null;
  readonly energyMicrojoules: Estimate | null;
}

/** What does not depend on the target: known once, it serves many checks. */
export interface ModelFacts {
  readonly simulated: boolean;
  readonly overflows: () => readonly OverflowRisk[];
  /** With the kernels that a device links, of which there are few kinds. */
  readonly arenaFor: (kernels: RuntimeKernels) => Arena;
  /** Of each operator; only for models that are simulated. */
  readonly work: () => readonly (Work | null)[];
  readonly edges: () => ReturnType<typeof inputsAndOutputs>;
}

export function factsOf(model: Model): ModelFacts {
  const arenas = new Map<string, Arena>();
  return {
    simulated: simulates(model),
    overflows: once(() => overflowRisks(model)),
    arenaFor: (kernels) => {
      const key = `${kernels.library} ${kernels.simd} ${kernels.wideEnums}`;
      const arena = arenas.get(key) ?? arenaOf(model, kernels);
      arenas.set(key, arena);
      return arena;
    },
    work: once(() => workOf(model)),
    edges: once(() => inputsAndOutputs(model)),
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

export interface CheckOptions {
  /** Where they are known already. */
  readonly facts?: ModelFacts;
  /** Let an Edge TPU have every part that it could run, instead of one. */
  readonly multipleSubgraphs?: boolean;
}

/**
 * @param flashBytes what the model takes on the device: the file, or the slot image
 * @throws OPERATOR_INVALID, TENSOR_SHAPE_DYNAMIC, TFLITE_INVALID for a model that is wrong in itself
 */
export function checkModel(model: Model, target: Target, flashBytes: number, options: CheckOptions = {}): CheckResult {
  const facts = options.facts ?? factsOf(model);
  const compiled = compiledReason(model, target);
  const wrongTypes = compiled.length > 0 ? [] : edgeTypes(model, target);
  const reasons: CheckReason[] = [...compiled, ...wrongTypes];
  // One reason is enough for a file that is of another kind altogether.
  const otherKind = reasons.some(({ code }) => code !== 'TYPE');
  const npu = target.runtime.kernels === 'edgetpu' ? placeOnEdgeTpu(model, target.operators, options.multipleSubgraphs) : null;
  const operators = npu === null ? placeOnCpu(model, target.operators) : npu.operators.map(placementOf);
  const unsupported = operators.filter(({ placed }) => placed === 'unsupported');
  if (unsupported.length > 0 && !otherKind) {
    const list = unsupported.map(({ index, op, reason }) => `operator ${index} ${op} (${reason})`).join('; ');
    reasons.push({
      code: 'OPERATOR',
      message: `${unsupported.length} operator(s) do not run on ${target.id}: ${list}`,
      hint: 'replace these operators in the model, or cut it before them',
    });
  }
  const budgets = budgetOf(target);
  if (budgets.slotBytes !== null && flashBytes > budgets.slotBytes) {
    reasons.push({
      code: 'FLASH',
      message: `the model takes ${flashBytes} bytes of flash; a slot of ${target.id} has ${budgets.slotBytes} (${flashBytes - budgets.slotBytes} too many)`,
      hint: 'use a smaller model, or a board with more flash',
    });
  }
  const { simulated } = facts;
  if (!simulated && !otherKind) {
    reasons.push({
      code: 'SIMULATOR',
      message: 'the simulator lacks operators of this model, so its arena and latency are unknown',
      hint: 'docs/operators.md lists what it runs',
    });
  }
  const kernels = runtimeKernelsOf(target);
  const arena = simulated && kernels !== null ? facts.arenaFor(kernels) : null;
  if (arena !== null && arena.minimumArenaBytes > budgets.arenaBytes) {
    reasons.push({
      code: 'ARENA',
      message: `the interpreter needs an arena of ${arena.minimumArenaBytes} bytes; ${target.id} has ${budgets.arenaBytes} (${arena.minimumArenaBytes - budgets.arenaBytes} too many)`,
      hint: peakText(memoryMap(model, arena)),
    });
  }
  // The figures of a target are for integers.
  const latencyMs = simulated && wrongTypes.length === 0 ? estimateLatency(model, target, facts.work()) : null;
  return {
    target: target.id,
    fits: reasons.length === 0,
    reasons,
    warnings: warningsOf(model, target, facts),
    operators,
    npuSubgraphs: npu?.subgraphs ?? null,
    memory: {
      flashBytes,
      arenaBytes: arena?.arenaBytes ?? null,
      headBytes: arena?.headBytes ?? null,
      tailBytes: arena?.tailBytes ?? null,
      ...parametersOf(npu),
      budgets,
    },
    latencyMs,
    energyMicrojoules: latencyMs === null ? null : estimateEnergy(target, latencyMs),
  };
}

function warningsOf(model: Model, target: Target, { overflows }: ModelFacts): CheckWarning[] {
  const kernels = runtimeKernelsOf(target);
  const differences = kernels?.library === 'cmsis-nn' ? cmsisNnDifferences(model, kernels.simd === 'mve') : [];
  return [
    ...overflows().map(({ operator, op, tensor, channel, channels }) => ({
      code: 'ACCUMULATOR_OVERFLOW' as const,
      message: `operator ${operator} ${op}: some inputs could overflow the 32-bit accumulator of ${channels} channel(s) of weights ${tensor}, first channel ${channel}`,
      hint: 'quantize the float model with `atoll quantize`, which chooses scales under which no accumulator overflows',
    })),
    ...differences.map(({ operator, op, what }) => ({
      code: 'KERNEL_DIFFERENCE' as const,
      message: `operator ${operator} ${op}: CMSIS-NN may compute otherwise than the simulator: ${what}`,
      hint: 'compare device and simulator on your data (`atoll evaluate --device`), or link the reference kernel of this operator',
    })),
  ];
}

/** Which tensors at which operator make the peak. */
function peakText({ peak, tailBytes }: MemoryMap): string {
  const largest = peak.buffers.slice(0, 3).map(({ label, size }) => `${label} (${size})`);
  const place = peak.operator === null ? 'before the first operator' : `at operator ${peak.operator} ${peak.op}`;
  return `most is alive ${place}, ${peak.liveBytes} bytes: ${largest.join(', ')}; ${tailBytes} bytes last as long as the interpreter`;
}

/** @throws MODEL_DOES_NOT_FIT with every reason */
export function requireFit({ fits, target, reasons }: CheckResult): void {
  if (!fits) throw fail('MODEL_DOES_NOT_FIT', { target, reasons: reasons.map(({ message }) => message).join('; ') });
}

function placementOf({ index, op, mapped, status, unconfirmed, source }: NpuPlacement): OperatorPlacement {
  return { index, op, placed: mapped ? 'npu' : 'cpu', reason: mapped ? null : status, unconfirmed, source };
}

function parametersOf(npu: NpuPlacements | null): Pick<CheckResult['memory'], 'parameterBytes' | 'cachedParameterBytes' | 'streamedParameterBytes'> {
  if (npu === null) return { parameterBytes: null, cachedParameterBytes: null, streamedParameterBytes: null };
  const { total, cached } = npu.parameters;
  return { parameterBytes: total, cachedParameterBytes: cached, streamedParameterBytes: { min: total - cached.max, max: total - cached.min } };
}

/** Inputs and outputs must have types that the target's file takes; a model that is float throughout says so once. */
function edgeTypes(model: Model, target: Target): CheckReason[] {
  if (target.activationTypes.includes('float32')) return [];
  const { tensors, inputs, outputs, operators } = mainSubgraph(model);
  const isFloat = (index: number): boolean => typeName((tensors[index] as Tensor).type) === 'float32';
  const wrong = [...(inputs ?? []), ...(outputs ?? [])].filter(isFloat);
  const integer = operators.some(({ outputs: made }) => ['int8', 'uint8', 'int16'].includes(typeName((tensors[made?.[0] ?? -1] as Tensor).type)));
  const named = wrong.map((index) => tensorLabel(index, tensors[index] as Tensor)).join(', ');
  const takes = `${target.id} takes ${target.activationTypes.join(', ')}`;
  const hint = 'quantize the model: `atoll quantize MODEL --calibrate DATASET -o OUT`';
  if (wrong.length > 0 && !integer) {
    const hybrid = operators.some(({ inputs: read }) => typeName(tensors[read?.[1] ?? -1]?.type ?? TensorType.FLOAT32) === 'int8');
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
    message: `tensor ${tensorLabel(index, tensors[index] as Tensor)} is float32; ${takes}`,
    hint: 'make inputs and outputs integers too: `atoll quantize` with --io int8 (or uint8)',
  }));
}

/** A file that edgetpu_compiler made is no longer a model that can be placed, planned or simulated. */
function compiledReason(model: Model, target: Target): CheckReason[] {
  const parts = mainSubgraph(model).operators.filter((operator) => operatorName(model, operator) === edgeTpuOperator).length;
  if (parts === 0) return [];
  const npu = target.runtime.kernels === 'edgetpu';
  return [
    {
      code: 'COMPILED',
      message: `the model is compiled for the Edge TPU already (${parts} custom operator(s))${npu ? ', and what is in it cannot be checked' : `, which ${target.id} has not`}`,
      hint: 'check the .tflite file that it was compiled from; `atoll inspect` shows what the compiled one holds',
    },
  ];
}
