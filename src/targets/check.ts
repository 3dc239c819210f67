// Checks whether a model fits a target: operators, flash, arena, and a latency estimate, before anything is flashed.

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

/** A range of values. */
export interface Span {
  readonly min: number;
  readonly max: number;
}

/** Whether a model fits a target, and why not. */
export interface CheckResult {
  /** Id of the target. */
  readonly target: string;
  readonly fits: boolean;
  /** Empty if it fits. */
  readonly reasons: readonly CheckReason[];
  readonly warnings: readonly CheckWarning[];
  readonly operators: readonly OperatorPlacement[];
  /** Parts of the graph that an accelerator runs; null for a target without one. */
  readonly npuSubgraphs: number | null;
  readonly memory: {
    readonly flashBytes: number;
    /** null if no interpreter runs on the device, or if the simulator lacks an operator. */
    readonly arenaBytes: number | null;
    readonly headBytes: number | null;
    readonly tailBytes: number | null;
    /** Parameters of the operators that an accelerator runs; null for a target without one. */
    readonly parameterBytes: number | null;
    /**
     * Bytes that stay in the accelerator's memory, and bytes that are sent with every inference: minimum and maximum.
     */
    readonly cachedParameterBytes: Span | null;
    readonly streamedParameterBytes: Span | null;
    readonly budgets: Budget;
    /** Flash of the runtime, out of the firmware's share; null if it was not measured. */
    readonly runtime: RuntimeFlash | null;
  };
  /** Of one inference, in milliseconds; null if it cannot be estimated. */
  readonly latencyMs: LatencyEstimate | null;
  /** Of one inference, in microjoules; null if the target file names no power. */
  readonly energyMicrojoules: Estimate | null;
}

/** How an accelerator's compiler is predicted, and facts that are known already. */
export interface CheckOptions {
  /**
   * Facts about the model, if already computed.
   * @internal
   */
  readonly facts?: ModelFacts;
  /** Map every part that an Edge TPU could run, instead of one. */
  readonly multipleSubgraphs?: boolean;
}

/**
 * Checks a model against a target: operators, placement, flash, arena, latency.
 * @param flashBytes size of the model on the device: the file, or the slot image
 * @throws OPERATOR_INVALID, TENSOR_SHAPE_DYNAMIC, TFLITE_INVALID for an invalid model
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
  // A compiled model has no operators to check. For a float model, report only what quantization does not fix.
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
  // The target's latency figures are for integers.
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

/** The host's CPU runs what the accelerator does not, except unknown custom operators. */
function placementOf(
  { index, op, mapped, status, unconfirmed, source }: NpuPlacement,
  missing: readonly MissingOperator[],
): OperatorPlacement {
  const cpu = op.startsWith('custom:') && missing.some(({ place }) => place === `${index}`) ? 'unsupported' : 'cpu';
  return { index, op, placed: mapped ? 'npu' : cpu, reason: mapped ? null : status, unconfirmed, source };
}

/** Operators that run on the target in no type: quantization does not help them. */
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
