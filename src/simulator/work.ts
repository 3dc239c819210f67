import type { Model } from '../tflite/index.js';
import { defaultKernelProfile, kernelProfiles } from './arithmetic/profile.js';
import { describeGraph } from './graph.js';
import { operatorFamilies } from './operators/index.js';
import type { Work } from './operators/operator.js';

/** The work of every operator of the main subgraph, in order; null for operators that the simulator does not know or cannot bind. */
export function workOf(model: Model): (Work | null)[] {
  try {
    return describeGraph(model, kernelProfiles[defaultKernelProfile]).operators.map((context) => {
      try {
        return operatorFamilies.get(context.name)?.work(context) ?? null;
      } catch {
        return null;
      }
    });
  } catch {
    return (model.subgraphs[0]?.operators ?? []).map(() => null);
  }
}
