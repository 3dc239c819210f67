// From a model and a target to a slot image: the simulator computes the self-test vectors that the device must repeat.

import { arenaOf, Interpreter } from '../simulator/index.js';
import { runtimeKernelsOf, type Target } from '../targets/index.js';
import { BuiltinOperator, builtinCode, type Model, mainSubgraph, operatorCodeOf } from '../tflite/index.js';
import { drawable, drawSample, SeededBytes } from './drawing.js';
import { encodeSlotImage, type SelfTestVector } from './slot-image.js';

export interface BundleOptions {
  readonly version?: string;
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
  const kernels = runtimeKernelsOf(target);
  const { agreement } = target;
  return encodeSlotImage(
    bytes,
    {
      version: options.version ?? '0',
      target: target.id,
      profile: target.runtime.kernelProfile,
      agreement: agreement === 'exact' ? 'exact' : { max_lsb: agreement.maxLsb, min_share_ppm: Math.round(agreement.minShare * 1e6) },
      operators: requiredOperators(model),
      arena: kernels === null ? 0 : arenaOf(model, kernels).minimumArenaBytes,
    },
    selfTestVectors(model, target, options.seed ?? 1),
  );
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

function selfTestVectors(model: Model, target: Target, firstSeed: number): SelfTestVector[] {
  const interpreter = new Interpreter(model, target.runtime.kernelProfile);
  if (!drawable(interpreter.inputs)) return [];
  const count = Math.max(1, Math.min(vectorCount, Math.floor(maxVectorBytes / interpreter.outputBytes)));
  return Array.from({ length: count }, (_, i) => {
    const seed = firstSeed + i;
    return { seed, output: interpreter.run(drawSample(new SeededBytes(seed), interpreter.inputs)) };
  });
}
