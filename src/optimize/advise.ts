// Recommends a scheme: selects the candidates worth trying, tries them on the user's data, and recommends one of those
// that fit the target.

import { elementAt } from '../base/checked.js';
import { AtollError } from '../base/errors.js';
import { type OnProgress, type Progress, started } from '../base/progress.js';
import type { Dataset } from '../data/index.js';
import { checkFile } from '../devices/bundle/index.js';
import {
  type Allowance,
  allowedDrop,
  compare,
  dropOf,
  type Evaluation,
  evaluate,
  hostRunner,
} from '../evaluate/index.js';
import type { Model } from '../formats/tflite/index.js';
import type { CheckResult, Target } from '../targets/index.js';
import {
  harmlessRepairs,
  type QuantizeOptions,
  quantize,
  type SchemeName,
  schemeNames,
  schemes,
} from './quantize/index.js';

/** Limits on the recommendation, a progress callback, and a signal to stop. */
export interface AdviseOptions {
  /** Maximum loss of the metric against the float model; by default 2 points of a share and 5 % of other metrics. */
  readonly maxDrop?: Allowance;
  /** Accepted latency on the target, in milliseconds. */
  readonly maxMs?: number;
  /** Maximum number of samples to evaluate. */
  readonly limit?: number;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** A way to quantize. */
export interface Candidate {
  readonly name: string;
  readonly scheme: SchemeName;
  readonly options: Pick<QuantizeOptions, 'ranges' | 'repairs'>;
}

/** A candidate with its figures. */
export interface Trial {
  readonly candidate: Candidate;
  /** null if the candidate could not be made. */
  readonly bytes: number | null;
  /** null if it is unknown. */
  readonly arenaBytes: number | null;
  readonly latencyMs: CheckResult['latencyMs'];
  /** null if it was not evaluated. */
  readonly accuracy: Accuracy | null;
  /** Loss against the float model; negative for an improvement. */
  readonly drop: number | null;
  readonly fits: boolean;
  /** Why it does not fit, or was not tried. */
  readonly reasons: readonly string[];
  /**
   * Whether no other fitting candidate is at least as good in size, latency and accuracy, and better in one of them.
   */
  readonly onFront: boolean;
}

/** The metric of one model on the evaluation data. */
export interface Accuracy {
  /** `signal to noise` if the data has neither labels nor targets. */
  readonly metric: Evaluation['metric'] | 'signal to noise';
  /** In the metric's own unit. */
  readonly value: number;
  /** Number of samples. */
  readonly samples: number;
}

/** A question that decided which schemes were tried, with its answer. */
export interface Decision {
  readonly question: string;
  readonly answer: string;
}

/** What was decided, tried and recommended. */
export interface Advised {
  readonly target: string;
  readonly decisions: readonly Decision[];
  /** The float model on this host. */
  readonly float: Accuracy;
  readonly trials: readonly Trial[];
  /** Name of the recommended candidate; null if none fits. */
  readonly recommended: string | null;
  /** Why this candidate is recommended, or why none is. */
  readonly why: string;
}

const defaultLimit = 500;

/** SNR above which improvements do not matter. */
const enoughDecibels = 60;

/**
 * Tries every scheme that the data and the target allow, and recommends one: the fastest, then the smallest, of those
 * that fit and are within the limits.
 * @param calibration for schemes with integer activations; may be empty
 * @throws what `quantize` throws for the float model itself, DATASET_*
 */
export async function advise(
  model: Model,
  target: Target,
  data: Dataset,
  calibration: readonly Dataset[],
  options: AdviseOptions = {},
): Promise<Advised> {
  const { candidates, decisions } = decide(target, data, calibration);
  const { model: float } = await quantize(model, [], { scheme: 'float32' });
  const common = options.signal === undefined ? {} : { signal: options.signal };
  const measure = async (name: string, candidate: Model): Promise<Accuracy> => {
    const limit = options.limit ?? defaultLimit;
    const onProgress = (progress: Progress): void => options.onProgress?.({ ...progress, step: `evaluate ${name}` });
    if (data.metric !== null && (data.hasLabels || data.hasTargets || data.windows !== null)) {
      const { metric, value, samples } = await evaluate(
        hostRunner(candidate, { profile: target.runtime.kernelProfile }),
        data,
        {
          limit,
          onProgress,
          ...common,
        },
      );
      return { metric, value, samples };
    }
    const { signalToNoise, samples } = await compare(float, candidate, data, { limit, onProgress, ...common });
    return { metric: 'signal to noise', value: Math.min(enoughDecibels, signalToNoise ?? enoughDecibels), samples };
  };
  const reference = await measure('float model', float);
  const trials: Omit<Trial, 'onFront'>[] = [];
  for (const candidate of candidates) {
    options.onProgress?.(started(candidate.name));
    trials.push(await tryOne(model, target, calibration, candidate, measure, reference, options));
  }
  const judged = trials.map((trial) => ({
    ...trial,
    onFront: trial.fits && !trials.some((other) => other.fits && dominates(other, trial)),
  }));
  return { target: target.id, decisions, float: reference, trials: judged, ...recommend(judged, reference, options) };
}

/** Selects candidates by the questions of the published guides on model optimization, answered from target and data. */
function decide(
  target: Target,
  data: Dataset,
  calibration: readonly Dataset[],
): { candidates: Candidate[]; decisions: Decision[] } {
  const types = target.activationTypes;
  const npu = target.runtime.kernels === 'edgetpu';
  const takes = (scheme: SchemeName): boolean =>
    schemes[scheme].io.some((io) => types.includes(io as (typeof types)[number]));
  const plain = schemeNames.map((scheme): Candidate => ({ name: scheme, scheme, options: {} }));
  const repaired: Candidate = {
    name: 'int8, repaired',
    scheme: 'int8',
    options: { ranges: 'auto', repairs: harmlessRepairs },
  };
  // An accelerator runs 8-bit operators only: int16 would run entirely on the CPU.
  const runs = ({ scheme }: Candidate): boolean => !npu || schemes[scheme].activations !== 'int16';
  const feasible = plain.filter(
    (candidate) => runs(candidate) && (calibration.length > 0 || schemes[candidate.scheme].activations === null),
  );
  return {
    candidates: [...feasible, ...(calibration.length > 0 ? [repaired] : [])],
    decisions: [
      {
        question: 'Is there data to calibrate with?',
        answer:
          calibration.length > 0
            ? 'yes: integer schemes are tried'
            : 'no: only float16 and dynamic-range are tried, which need none',
      },
      {
        question: 'Does the data have labels or targets?',
        answer:
          data.hasLabels || data.hasTargets
            ? `yes: ${data.metric} decides`
            : 'no: the SNR of the outputs against the float model decides',
      },
      {
        question: 'What does the target compute in?',
        answer: npu
          ? 'an accelerator for int8 and uint8: anything else runs on the host CPU'
          : `${types.join(', ')} inputs and outputs, with ${target.runtime.name}`,
      },
      {
        question: 'Which schemes can that take?',
        answer: schemeNames.filter((scheme) => takes(scheme) && runs({ name: scheme, scheme, options: {} })).join(', '),
      },
    ],
  };
}

async function tryOne(
  model: Model,
  target: Target,
  calibration: readonly Dataset[],
  candidate: Candidate,
  measure: (name: string, model: Model) => Promise<Accuracy>,
  reference: Accuracy,
  options: AdviseOptions,
): Promise<Omit<Trial, 'onFront'>> {
  try {
    const result = await quantize(model, schemes[candidate.scheme].activations === null ? [] : calibration, {
      scheme: candidate.scheme,
      ...candidate.options,
      onProgress: (progress) => options.onProgress?.({ ...progress, step: `${candidate.name}: ${progress.step}` }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const check = checkFile(result.bytes, result.model, target);
    const accuracy = await measure(candidate.name, result.model);
    return {
      candidate,
      bytes: result.bytes.byteLength,
      arenaBytes: check.memory.arenaBytes,
      latencyMs: check.latencyMs,
      accuracy,
      drop:
        reference.metric === 'signal to noise'
          ? reference.value - accuracy.value
          : dropOf(reference.metric, reference.value, accuracy.value),
      fits: check.fits,
      reasons: check.reasons.map(({ message }) => message),
    };
  } catch (error) {
    // An error of one candidate is a row of the table; an interruption ends all.
    if (!(error instanceof AtollError) || error.code === 'INTERRUPTED') throw error;
    return {
      candidate,
      bytes: null,
      arenaBytes: null,
      latencyMs: null,
      accuracy: null,
      drop: null,
      fits: false,
      reasons: [error.message],
    };
  }
}

/** At least as good in everything, better in something. */
function dominates(a: Omit<Trial, 'onFront'>, b: Omit<Trial, 'onFront'>): boolean {
  const figures = ({ bytes, latencyMs, drop }: Omit<Trial, 'onFront'>): number[] => [
    bytes ?? Infinity,
    latencyMs?.value ?? 0,
    drop ?? Infinity,
  ];
  const [one, other] = [figures(a), figures(b)];
  return one.every((value, i) => value <= elementAt(other, i)) && one.some((value, i) => value < elementAt(other, i));
}

/** The smallest and fastest candidate within the limits; if there is none, the most accurate that fits. */
function recommend(
  trials: readonly Trial[],
  { metric, value }: Accuracy,
  { maxDrop, maxMs }: AdviseOptions,
): Pick<Advised, 'recommended' | 'why'> {
  const fitting = trials.filter(({ fits }) => fits);
  if (fitting.length === 0)
    return {
      recommended: null,
      why: 'no scheme gives a model that fits this target',
    };
  // If only outputs are compared, the float model is perfect and no share of it can be demanded: take the closest
  // candidate, within one decibel.
  const least = Math.min(...fitting.map(({ drop }) => drop ?? Infinity));
  const limits = maxDrop === undefined ? {} : { maxDrop };
  const allowed = metric === 'signal to noise' ? least + 1 : allowedDrop(metric, value, limits);
  const keeps = ({ drop, latencyMs }: Trial): boolean =>
    (drop ?? Infinity) <= allowed + 1e-12 && (maxMs === undefined || (latencyMs?.value ?? 0) <= maxMs);
  const within = fitting.filter(keeps);
  const cost = ({ latencyMs, bytes, drop }: Trial): number[] => [
    latencyMs?.value ?? 0,
    bytes ?? Infinity,
    drop ?? Infinity,
  ];
  const [chosen] = (within.length > 0 ? within : fitting).toSorted((a, b) => {
    const [one, other] = within.length > 0 ? [cost(a), cost(b)] : [[a.drop ?? Infinity], [b.drop ?? Infinity]];
    const at = one.findIndex((value, i) => Math.abs(value - elementAt(other, i)) > 1e-9 * Math.abs(value));
    return at < 0 ? 0 : elementAt(one, at) - elementAt(other, at);
  });
  const why =
    within.length > 0
      ? 'the fastest, then the smallest, of those that fit and are within the limits'
      : 'no fitting candidate is within the limits: this one loses least';
  return { recommended: chosen?.candidate.name ?? null, why };
}
