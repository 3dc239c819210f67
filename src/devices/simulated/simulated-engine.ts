// Runs models on the simulator, within the target's limits, with latencies that follow its estimate.

import { AtollError } from '../../base/errors.js';
import { seededRandom } from '../../base/random.js';
import { builtinCode, type Model, mainSubgraph, operatorCodeOf } from '../../formats/tflite/index.js';
import { Interpreter } from '../../simulator/index.js';
import { type CheckReason, checkModel, operatorLatencies, simulatedProfile, type Target } from '../../targets/index.js';
import { type DeviceEngine, type Execution, engineError, tickHz } from './device-engine.js';
import { atollStatusError } from './status-error.js';

/** Status for a model that the target refuses. */
const refusals = {
  ARENA: 'ARENA_TOO_SMALL',
  FLASH: 'IMAGE_TOO_LARGE',
  TYPE: 'IMAGE_INVALID',
  FLOAT: 'IMAGE_INVALID',
  DYNAMIC_RANGE: 'IMAGE_INVALID',
  COMPILED: 'IMAGE_INVALID',
  OPERATOR: 'OPERATOR_MISSING',
  SIMULATOR: 'OPERATOR_MISSING',
  RUNTIME_LIMIT: 'IMAGE_INVALID',
} as const satisfies Record<CheckReason['code'], string>;

/** Watchdog timeout on this host's clock; clients wait longer for a response. */
const watchdogMs = 5000;

/** Relative jitter of the latencies around the estimate. */
const jitter = 0.01;

export interface SimulatedEngineOptions {
  /** Seed of the jitter. */
  readonly seed?: number;
  /** The first byte of every output is off by one. */
  readonly corrupt?: boolean;
  /**
   * Yield to the event loop during long inferences (default: true). Fleets in virtual time must not: yielding takes
   * real time.
   */
  readonly inTurns?: boolean;
}

export function simulatedEngine(
  target: Target,
  { seed = 1, corrupt = false, inTurns = true }: SimulatedEngineOptions = {},
): DeviceEngine {
  return {
    firmware: 'simulated',
    runtimeVersion: 'simulated',
    simulated: true,
    features: ['profile', 'stream'],
    load: async (model, imageBytes) => {
      try {
        const check = checkModel(model, target, imageBytes);
        const [reason] = check.reasons;
        if (reason !== undefined) throw atollStatusError(refusals[reason.code], reason.message);
        return execution(model, target, check.memory.arenaBytes ?? 0, { seed, corrupt, inTurns });
      } catch (error) {
        if (error instanceof AtollError) throw engineError(error);
        throw error;
      }
    },
  };
}

function execution(
  model: Model,
  target: Target,
  arenaBytes: number,
  { seed, corrupt, inTurns }: Required<SimulatedEngineOptions>,
): Execution {
  const interpreter = new Interpreter(model, { profile: simulatedProfile(target), limitMs: watchdogMs });
  const estimates = operatorLatencies(model, target);
  const ticks = estimates.map((ms) => Math.max(1, Math.round((ms * tickHz) / 1000)));
  const codes = mainSubgraph(model).operators.map((operator) => builtinCode(operatorCodeOf(model, operator)));
  const total = ticks.reduce((sum, one) => sum + one, 0);
  const estimateMs = estimates.reduce((sum, ms) => sum + ms, 0);
  const random = seededRandom(seed);
  return {
    inputs: interpreter.inputs,
    outputs: interpreter.outputs,
    arenaBytes,
    operators: ticks.map((one, i) => [codes[i] ?? 0, one] as const),
    run: async (sample, continues = false) => {
      if (!continues) interpreter.reset();
      const output = await watched(async () =>
        inTurns ? interpreter.streamInTurns(sample) : interpreter.stream(sample),
      );
      if (corrupt && output[0] !== undefined) output[0] ^= 1;
      return { output, ticks: Math.max(1, Math.round(jittered(total, random))) };
    },
    latencies: (count, drawn) => Array.from({ length: count }, () => jittered(estimateMs, drawn)),
  };
}

function jittered(value: number, random: () => number): number {
  return value * (1 + jitter * (2 * random() - 1));
}

/** @throws StatusError if the watchdog ends a run */
async function watched<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof AtollError && error.code === 'RUN_TIMEOUT')
      throw atollStatusError('UNKNOWN', `the watchdog stopped it: ${error.message}`);
    throw error;
  }
}
