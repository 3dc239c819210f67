// From a model and a target to a slot image: the simulator computes the self-test vectors that the device must repeat.

import { Interpreter } from '../simulator/index.js';
import { factsOf, type ModelFacts, runtimeKernelsOf, type Target } from '../targets/index.js';
import { BuiltinOperator, builtinCode, type Model, mainSubgraph, operatorCodeOf } from '../tflite/index.js';
import { drawable, drawSample, SeededBytes } from './drawing.js';
import type { SigningKey } from './keys.js';
import { encodeSlotImage, type ManifestInput, type SelfTestVector, slotImageLength } from './slot-image.js';

export interface BundleOptions {
  /** For people. */
  readonly version?: string;
  /** Devices with a key refuse what has a lower one than they have confirmed; 0 unless given. */
  readonly counter?: number;
  /** Signs the manifest. */
  readonly key?: SigningKey;
  /** Seed of the first self-test vector. */
  readonly seed?: number;
}

const vectorCount = 4;
/** Outputs of all vectors together; a model with large outputs gets fewer vectors. */
const maxVectorBytes = 16384;

/**
 * @param bytes the model's file, as the device will hold it
 * @param model the same, read
 */
export function buildSlotImage(bytes: Uint8Array, model: Model, target: Target, options: BundleOptions = {}): Uint8Array {
  return encodeSlotImage(bytes, manifestOf(model, target, options, factsOf(model)), selfTestVectors(model, target, options.seed ?? 1), options.key ?? null);
}

function manifestOf(model: Model, target: Target, options: BundleOptions, facts: ModelFacts): ManifestInput {
  const kernels = runtimeKernelsOf(target);
  const { agreement } = target;
  return {
    version: options.version ?? '0',
    ...(options.counter === undefined ? {} : { counter: options.counter }),
    target: target.id,
    profile: target.runtime.kernelProfile,
    agreement: agreement === 'exact' ? 'exact' : { max_lsb: agreement.maxLsb, min_share_ppm: Math.round(agreement.minShare * 1e6) },
    operators: requiredOperators(model),
    arena: kernels === null ? 0 : facts.arenaFor(kernels).minimumArenaBytes,
  };
}

/** How long the slot image of a model is, without running the model: its self-test outputs are as long as any others. */
export function slotImageBytes(bytes: Uint8Array, model: Model, target: Target, facts = factsOf(model)): number {
  const { inputs, outputs } = facts.edges();
  const outputBytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
  const vectors = drawable(inputs) ? Array.from({ length: vectorsFor(outputBytes) }, (_, i) => ({ seed: 1 + i, output: new Uint8Array(outputBytes) })) : [];
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

function vectorsFor(outputBytes: number): number {
  return Math.max(1, Math.min(vectorCount, Math.floor(maxVectorBytes / outputBytes)));
}

function selfTestVectors(model: Model, target: Target, firstSeed: number): SelfTestVector[] {
  const interpreter = new Interpreter(model, { profile: target.runtime.kernelProfile });
  if (!drawable(interpreter.inputs)) return [];
  return Array.from({ length: vectorsFor(interpreter.outputBytes) }, (_, i) => {
    const seed = firstSeed + i;
    return { seed, output: interpreter.run(drawSample(new SeededBytes(seed), interpreter.inputs)) };
  });
}
