// Does a model fit a target? Operators, flash, arena, and a latency estimate, before anything is flashed.

import { fail } from '../base/errors.js';
import type { Model } from '../formats/tflite/index.js';
import type { MissingOperator } from '../simulator/index.js';
import { type Budget, budgetOf, runtimeKernelsOf } from './budget.js';
import { type OperatorPlacement, placeOnCpu } from './cpu-placement.js';
import { type NpuPlacement, type NpuPlacements, placeOnEdgeTpu } from './edgetpu/placement.js';
import { factsOf, type ModelFacts } from './facts.js';
import { type Estimate, estimateEnergy, estimateLatency, type LatencyEstimate } from './latency.js';
import type { Target } from './load.js';
import {
  arenaReasons,
  type CheckReason,
  flashReasons,
  kindReasons,
  limitReasons,
  operatorReasons,
  simulatorReasons,
} from './reasons.js';
import { type RuntimeFlash, runtimeFlashOf } from './runtime-flash.js';
import { type CheckWarning, warningsOf } from './warnings.js';

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
    /** What the runtime takes of the firmware's share of flash; null where that was not measured. */
    readonly runtime: RuntimeFlash | null;
  };
  readonly latencyMs: LatencyEstimate | null;
  readonly energyMicrojoules: Estimate | null;
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
  const { simulated, missing } = facts;
  const budgets = budgetOf(target);
  const kernels = runtimeKernelsOf(target);
  const npu =
    target.runtime.kernels === 'edgetpu' ? placeOnEdgeTpu(model, target.operators, options.multipleSubgraphs) : null;
  const operators =
    npu === null
      ? placeOnCpu(model, target.operators)
      : npu.operators.map((placement) => placementOf(placement, missing));
  const arena = simulated && kernels !== null ? facts.arenaFor(kernels) : null;
  const kind = kindReasons(model, target);
  const ofItsKind = kind.every(({ code }) => code === 'TYPE');
  // What is compiled has no operators to speak of; of a float model, only what quantizing does not cure.
  const compiled = kind.some(({ code }) => code === 'COMPILED');
  const runtime = kernels === null ? 'tflite' : 'tflm';
  const reasons = [
    ...(compiled ? [] : simulatorReasons(missing)),
    ...(compiled ? [] : operatorReasons(ofItsKind ? operators : withoutKernel(operators, target), target)),
    ...kind,
    ...(ofItsKind ? limitReasons(facts.limits(runtime), runtime) : []),
    ...flashReasons(flashBytes, budgets, target),
    ...arenaReasons(model, arena, budgets, target),
  ];
  const runtimeFlash = runtimeFlashOf(model, target);
  // The figures of a target are for integers.
  const latencyMs = simulated && kind.length === 0 ? estimateLatency(model, target, { work: facts.work(), npu }) : null;
  return {
    target: target.id,
    fits: reasons.length === 0,
    reasons,
    warnings: warningsOf(model, target, facts, runtimeFlash),
    operators,
    npuSubgraphs: npu?.subgraphs ?? null,
    memory: {
      flashBytes,
      arenaBytes: arena?.arenaBytes ?? null,
      headBytes: arena?.headBytes ?? null,
      tailBytes: arena?.tailBytes ?? null,
      ...parametersOf(npu),
      budgets,
      runtime: runtimeFlash,
    },
    latencyMs,
    energyMicrojoules: latencyMs === null ? null : estimateEnergy(target, latencyMs),
  };
}

/** @throws MODEL_DOES_NOT_FIT with every reason */
export function requireFit({ fits, target, reasons }: CheckResult): void {
  if (!fits) throw fail('MODEL_DOES_NOT_FIT', { target, reasons: reasons.map(({ message }) => message).join('; ') });
}

/** What the accelerator leaves to the host's CPU runs there, except custom operators that nothing here knows. */
function placementOf(
  { index, op, mapped, status, unconfirmed, source }: NpuPlacement,
  missing: readonly MissingOperator[],
): OperatorPlacement {
  const cpu = op.startsWith('custom:') && missing.some(({ place }) => place === `${index}`) ? 'unsupported' : 'cpu';
  return { index, op, placed: mapped ? 'npu' : cpu, reason: mapped ? null : status, unconfirmed, source };
}

/** Operators that run on the target in no type: quantizing does not help them. */
function withoutKernel(operators: readonly OperatorPlacement[], target: Target): OperatorPlacement[] {
  const { operators: known } = target.operators;
  const npu = target.runtime.kernels === 'edgetpu';
  return operators.filter(({ op, placed }) => placed === 'unsupported' && (npu || known[op] === undefined));
}

function parametersOf(
  npu: NpuPlacements | null,
): Pick<CheckResult['memory'], 'parameterBytes' | 'cachedParameterBytes' | 'streamedParameterBytes'> {
  if (npu === null) return { parameterBytes: null, cachedParameterBytes: null, streamedParameterBytes: null };
  const { total, cached } = npu.parameters;
  return {
    parameterBytes: total,
    cachedParameterBytes: cached,
    streamedParameterBytes: { min: total - cached.max, max: total - cached.min },
  };
}
