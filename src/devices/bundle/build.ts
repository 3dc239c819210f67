// Builds a slot image from a model and a target: the simulator computes the self-test vectors that the device must
// reproduce.

import { fail } from '../../base/errors.js';
import {
  BuiltinOperator,
  builtinCode,
  edgeTpuOperators,
  type Model,
  mainSubgraph,
  operatorCodeOf,
} from '../../formats/tflite/index.js';
import { Interpreter, inputsAndOutputs } from '../../simulator/index.js';
import { factsOf, type ModelFacts, runtimeKernelsOf, simulatedProfile, type Target } from '../../targets/index.js';
import { drawable, drawSample, SeededBytes } from './drawing.js';
import type { SigningKey } from './keys.js';
import { encodeSlotImage, type ManifestInput, type SelfTestVector, slotImageLength } from './slot-image.js';

/** Content of the manifest, and the key that signs it. */
export interface BundleOptions {
  /** Version text for people. */
  readonly version?: string;
  /** Devices with a key refuse a lower counter than that of the image they have confirmed; 0 by default. */
  readonly counter?: number;
  /** Key that signs the manifest. */
  readonly key?: SigningKey;
  /** Seed of the first self-test vector. */
  readonly seed?: number;
  /**
   * The model that a compiled model was made from: its outputs are the expected ones. Without it there are no self-test
   * vectors.
   */
  readonly uncompiled?: Model;
}

const vectorCount = 4;
/** Maximum size of the outputs of all vectors; a model with large outputs gets fewer vectors. */
const maxVectorBytes = 16384;

/**
 * Builds a slot image: the model, a manifest, and self-test vectors that the simulator computes.
 * @param bytes the model's file, as the device will hold it
 * @param model the same, decoded
 */
export function buildSlotImage(
  bytes: Uint8Array,
  model: Model,
  target: Target,
  options: BundleOptions = {},
): Uint8Array {
  return encodeSlotImage(
    bytes,
    manifestOf(model, target, options, factsOf(model)),
    selfTestVectors(referenceFor(model, options.uncompiled), target, options.seed ?? 1),
    options.key ?? null,
  );
}

function manifestOf(model: Model, target: Target, options: BundleOptions, facts: ModelFacts): ManifestInput {
  const kernels = runtimeKernelsOf(target);
  const { agreement } = target;
  return {
    version: options.version ?? '0',
    ...(options.counter === undefined ? {} : { counter: options.counter }),
    target: target.id,
    profile: target.runtime.kernelProfile,
    agreement:
      agreement === 'exact'
        ? 'exact'
        : { max_lsb: agreement.maxLsb, min_share_ppm: Math.round(agreement.minShare * 1e6) },
    operators: requiredOperators(model),
    arena: kernels === null ? 0 : facts.arenaFor(kernels).minimumArenaBytes,
  };
}

/**
 * Size of a model's slot image. The model is not run, since the size of the self-test outputs does not depend on their
 * values.
 */
export function slotImageBytes(bytes: Uint8Array, model: Model, target: Target, facts = factsOf(model)): number {
  const { inputs, outputs } = facts.inputsAndOutputs();
  const outputBytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
  const vectors = drawable(inputs)
    ? Array.from({ length: vectorsFor(outputBytes) }, (_, i) => ({ seed: 1 + i, output: new Uint8Array(outputBytes) }))
    : [];
  return slotImageLength(bytes.byteLength, manifestOf(model, target, {}, facts), vectors);
}

function requiredOperators(model: Model): (number | string)[] {
  const required = new Set<number | string>();
  for (const operator of mainSubgraph(model).operators) {
    const code = operatorCodeOf(model, operator);
    const builtin = builtinCode(code);
    required.add(builtin === BuiltinOperator.CUSTOM ? (code.customCode ?? '') : builtin);
  }
  return [...required];
}

/** The model that the simulator runs for the expected outputs; null if there is none. @throws EDGETPU_TWIN */
function referenceFor(model: Model, uncompiled: Model | undefined): Model | null {
  if (edgeTpuOperators(model).length === 0) return model;
  if (uncompiled === undefined) return null;
  requireSameEdges(model, uncompiled);
  return uncompiled;
}

/** Compiled and uncompiled model must have the same inputs and outputs. @throws EDGETPU_TWIN */
export function requireSameEdges(compiled: Model, uncompiled: Model): void {
  const [ours, theirs] = [compiled, uncompiled].map((one) => inputsAndOutputs(one));
  for (const role of ['inputs', 'outputs'] as const) {
    const describe = (infos: typeof ours): string =>
      infos?.[role].map(({ type, shape }) => `${type}[${shape.join(',')}]`).join(' ') ?? '';
    if (describe(ours) !== describe(theirs))
      throw fail('EDGETPU_TWIN', {
        reason: `${role} ${describe(ours)} of the compiled model, ${describe(theirs)} of the uncompiled one`,
      });
  }
}

function vectorsFor(outputBytes: number): number {
  return Math.max(1, Math.min(vectorCount, Math.floor(maxVectorBytes / outputBytes)));
}

function selfTestVectors(model: Model | null, target: Target, firstSeed: number): SelfTestVector[] {
  if (model === null) return [];
  const interpreter = new Interpreter(model, { profile: simulatedProfile(target) });
  if (!drawable(interpreter.inputs)) return [];
  return Array.from({ length: vectorsFor(interpreter.outputBytes) }, (_, i) => {
    const seed = firstSeed + i;
    return { seed, output: interpreter.run(drawSample(new SeededBytes(seed), interpreter.inputs)) };
  });
}
