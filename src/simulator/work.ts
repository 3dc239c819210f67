import type { Model } from '../formats/tflite/index.js';
import { defaultKernelProfile, kernelProfiles } from './arithmetic/profile.js';
import { describeGraph } from './graph.js';
import { operatorFamilies } from './operators/index.js';
import type { Work } from './operators/operator.js';

/**
 * The work of every operator of the main subgraph, in order; null for unknown operators.
 * @throws OPERATOR_INVALID, TENSOR_SHAPE_DYNAMIC, TFLITE_INVALID
 */
export function workOf(model: Model): (Work | null)[] {
  const { operators } = describeGraph(model, kernelProfiles[defaultKernelProfile]);
  return operators.map((context) => operatorFamilies.get(context.name)?.work(context) ?? null);
}
