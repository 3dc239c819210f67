// The main job: turns a float model and its data into an int8 model that runs on a device, verified and measured there.

import { randomInt } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { fail } from '../base/errors.js';
import { describeFaults, parseYaml, readText, writeAtomically } from '../base/files/index.js';
import type { OnProgress } from '../base/progress.js';
import type { Warning } from '../base/warnings.js';
import { type Dataset, openDataset, openDatasets } from '../data/index.js';
import { buildFittingImage } from '../devices/bundle/index.js';
import {
  type DeviceAgreement,
  type DeviceClient,
  MeasuredRun,
  type PushResult,
  type PushStep,
  push,
} from '../devices/client/index.js';
import {
  costGates,
  dropGate,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  evaluateScored,
  type GateResult,
  hostRunner,
  type Limits,
  memoizeRunner,
  minGate,
  requireGates,
  type Scored,
} from '../evaluate/index.js';
import { type Model, mainSubgraph, TensorType } from '../formats/tflite/index.js';
import { optimize } from '../optimize/passes/index.js';
import { type QuantizeStep, quantize, schemeOf, verifyInt8 } from '../optimize/quantize/index.js';
import { type CheckResult, simulatedProfile, type Target } from '../targets/index.js';
import { loadModel } from './load-model.js';

const projectSchema = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/, 'must be letters, digits, dots, dashes'),
  model: z.string(),
  calibrate: z.string(),
  data: z.string().optional(),
});

/** Inputs of deploy; atoll.yaml names the same, relative to itself. */
export interface Project {
  readonly name: string;
  readonly model: string;
  readonly calibrate: string | null;
  readonly data: string | null;
  /** Output folder for the int8 model and the report. */
  readonly out: string;
}

/** The steps of a deployment, for progress. */
export type DeployStep = 'check' | 'evaluate float' | QuantizeStep | 'evaluate int8' | PushStep | 'evaluate on device';

/** Limits on the model, a progress callback, and a signal to stop. */
export interface DeployOptions {
  readonly onProgress?: OnProgress<DeployStep>;
  readonly signal?: AbortSignal;
  /** Limits that the model must meet before it is activated. */
  readonly limits?: Limits;
  /** Activate the model even if it exceeds a limit. */
  readonly force?: boolean;
}

/** What each step of a deployment found. */
export interface DeployResult {
  readonly name: string;
  readonly target: string;
  /** Id that the device reports. */
  readonly device: string;
  readonly sizes: { readonly inputModelBytes: number; readonly modelBytes: number; readonly slotImageBytes: number };
  readonly accuracy: {
    readonly metric: string;
    readonly samples: number;
    /** null if the input model was already int8. */
    readonly float: number | null;
    readonly host: number;
    readonly device: number;
  } | null;
  /** Milliseconds on the device; null without evaluation data. */
  readonly latencyMs: Evaluation['latencyMs'] | null;
  readonly check: CheckResult;
  readonly push: PushResult;
  readonly agreement: DeviceAgreement & { readonly challenge: boolean };
  /** Limits that were judged before activation. */
  readonly gates: readonly GateResult[];
  /** Whether it was activated although it exceeds a limit. */
  readonly forced: boolean;
  /** Paths of the written files. */
  readonly files: { readonly model: string; readonly slotImage: string };
  readonly warnings: readonly Warning[];
}

/**
 * Reads the `atoll.yaml` of a folder.
 * @throws PROJECT_INVALID, FILE_NOT_READABLE
 */
export async function readProject(folder: string): Promise<Project> {
  const file = path.join(folder, 'atoll.yaml');
  const { value, faults } = parseYaml(await readText(file), projectSchema);
  if (value === null) throw fail('PROJECT_INVALID', describeFaults(file, faults));
  const resolve = (name: string): string => path.join(folder, name);
  return {
    name: value.name,
    model: resolve(value.model),
    calibrate: resolve(value.calibrate),
    data: value.data === undefined ? null : resolve(value.data),
    out: resolve('build'),
  };
}

/**
 * Quantizes, checks, pushes and measures a model, and writes the files of each step.
 * @throws MODEL_DOES_NOT_FIT and GATE_FAILED before anything is sent; PUSH_SELF_TEST if the device computes other bits;
 * and the errors of each stage
 */
export async function deploy(
  project: Project,
  target: Target,
  device: DeviceClient,
  options: DeployOptions = {},
): Promise<DeployResult> {
  const { signal, onProgress } = options;
  const common = signal === undefined ? {} : { signal };
  const as = (step: DeployStep): EvaluateOptions => ({
    ...common,
    onProgress: (progress) => onProgress?.({ ...progress, step }),
  });
  const { bytes: inputBytes, model: input } = await loadModel(project.model, {
    signal,
    onProgress: (progress) => onProgress?.({ ...progress, step: 'check' }),
  });
  const data = project.data === null ? null : await openDataset(project.data);
  const ready = isInt8(input);

  const float =
    ready || data === null
      ? null
      : await evaluateScored(hostRunner(await floatFormOf(input)), data, as('evaluate float'));
  const prepared = ready
    ? { bytes: inputBytes, model: verifyInt8(inputBytes), warnings: [] }
    : await quantizeProject(project, input, options);

  const { image: slotImage, check } = buildFittingImage(prepared.bytes, prepared.model, target);
  const files = {
    model: path.join(project.out, `${project.name}.int8.tflite`),
    slotImage: path.join(project.out, `${project.name}.${target.id}.slot`),
  };
  await writeAtomically(files.model, prepared.bytes);
  await writeAtomically(files.slotImage, slotImage);

  // The device's outputs are compared with the host's.
  const host = memoizeRunner(hostRunner(prepared.model, { profile: simulatedProfile(target) }));
  const quantized = data === null ? null : await evaluateScored(host, data, as('evaluate int8'));
  const gates = gatesOf(options.limits ?? {}, float?.scored ?? null, quantized?.scored ?? null, check);
  const doubts = causesOf([
    ...prepared.warnings,
    ...(float?.evaluation.warnings ?? []),
    ...(quantized?.evaluation.warnings ?? []),
  ]);
  if (options.force !== true)
    requireGates(gates, `nothing was sent to the device; the model is in ${files.model}${doubts}`);

  const pushed = await push(device, slotImage, { ...common, ...(onProgress === undefined ? {} : { onProgress }) });
  const run = new MeasuredRun(await device.runner(prepared.model, pushed.model, signal), target, host);
  const deviceResult = data === null ? null : await evaluate(run.runner, data, as('evaluate on device'));
  const challenge = await device.challenge(prepared.model, target, randomInt(1, 2 ** 32), 4, signal);
  return {
    name: project.name,
    target: target.id,
    device: pushed.device,
    sizes: {
      inputModelBytes: inputBytes.byteLength,
      modelBytes: prepared.bytes.byteLength,
      slotImageBytes: slotImage.byteLength,
    },
    accuracy: accuracyOf(data, float?.evaluation ?? null, quantized?.evaluation ?? null, deviceResult),
    latencyMs: deviceResult?.latencyMs ?? null,
    check,
    push: pushed,
    agreement: { ...run.agreement(), challenge: challenge.agrees },
    gates,
    forced: gates.some(({ passed }) => !passed),
    files,
    warnings: [...prepared.warnings, ...(quantized?.evaluation.warnings ?? []), ...gateWarnings(gates, data)],
  };
}

/** True if all activations are int8, including inputs and outputs. */
function isInt8(model: Model): boolean {
  const { inputs, outputs, tensors } = mainSubgraph(model);
  const edges = [...(inputs ?? []), ...(outputs ?? [])].map((index) => tensors[index]?.type);
  return schemeOf(model) === 'int8' && edges.every((type) => type === TensorType.INT8);
}

/** The float reference for the accuracy drop; a quantization-aware-trained model is dequantized. */
async function floatFormOf(input: Model): Promise<Model> {
  return schemeOf(input) === 'float32'
    ? optimize(input).model
    : (await quantize(input, [], { scheme: 'float32' })).model;
}

/** The warnings that may explain an accuracy drop, as text; empty if there are none. */
function causesOf(warnings: readonly Warning[]): string {
  const causes: ReadonlySet<string> = new Set([
    'UNSCALED_INTEGERS',
    'PIXEL_RANGE',
    'SATURATING_INPUTS',
    'UNFILLED_INPUT',
    'NO_BETTER_THAN_CHANCE',
  ]);
  const found = [...new Set(warnings.filter(({ code }) => causes.has(code)).map(({ message }) => message))];
  return found.length === 0 ? '' : `. Possible causes: ${found.join('; ')}`;
}

/** @throws USAGE if a limit concerns something unknown */
function gatesOf(limits: Limits, float: Scored | null, quantized: Scored | null, check: CheckResult): GateResult[] {
  const needs = (option: string, what: string): Error => fail('USAGE', { reason: `${option} needs ${what}` });
  if (limits.maxDrop !== undefined && (float === null || quantized === null))
    throw needs('--max-drop', 'a float model and evaluation data (--data)');
  if (limits.min !== undefined && quantized === null) throw needs('--min', 'evaluation data (--data)');
  return [
    ...(float === null || quantized === null ? [] : [dropGate(limits, float, quantized)]),
    ...(limits.min === undefined || quantized === null ? [] : [minGate(limits.min, quantized)]),
    ...costGates(limits, check.latencyMs?.value ?? null, check.memory.arenaBytes),
  ];
}

function gateWarnings(gates: readonly GateResult[], data: Dataset | null): Warning[] {
  const unsure = gates
    .filter(({ passed, certain }) => passed && !certain)
    .map(({ message }) => ({ code: 'GATE_UNCERTAIN', message }));
  const forced = gates.filter(({ passed }) => !passed).map(({ message }) => ({ code: 'GATE_FORCED', message }));
  const unknown =
    data === null
      ? [
          {
            code: 'ACCURACY_UNKNOWN',
            message: 'no evaluation data was given (--data): the accuracy of the quantized model is unknown',
          },
        ]
      : [];
  return [...forced, ...unsure, ...unknown];
}

async function quantizeProject(
  project: Project,
  model: Model,
  options: DeployOptions,
): Promise<{ bytes: Uint8Array; model: Model; warnings: readonly Warning[] }> {
  const isFloat = schemeOf(model) === 'float32';
  if (project.calibrate === null && isFloat)
    throw fail('CALIBRATION_EMPTY', {
      reason: `${project.model} is a float model and no calibration dataset was given`,
    });
  // A model that is already quantized contains its scales.
  const datasets = project.calibrate === null ? [] : await openDatasets(project.calibrate);
  return quantize(model, datasets, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
}

function accuracyOf(
  data: Dataset | null,
  float: Evaluation | null,
  host: Evaluation | null,
  device: Evaluation | null,
): DeployResult['accuracy'] {
  if (data === null || host === null || device === null) return null;
  return {
    metric: host.metric,
    samples: host.samples,
    float: float?.value ?? null,
    host: host.value,
    device: device.value,
  };
}
