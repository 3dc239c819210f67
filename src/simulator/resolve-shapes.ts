// Resolves the shapes of a model for other input sizes than those in the file.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { copyModel, dropMemoryPlan, type Model } from '../formats/tflite/index.js';
import { defaultKernelProfile, kernelProfiles } from './arithmetic/profile.js';
import { describeGraph } from './graph.js';
import { inputNames, subgraphOfSignature } from './signature.js';

/**
 * A copy of the model in which every shape follows from the inputs'. Unnamed inputs keep their shapes.
 * @param inputShapes by input name, as `inputsAndOutputs` returns it
 * @throws INPUT_UNKNOWN; OPERATOR_INVALID if the sizes are inconsistent; TENSOR_SHAPE_DYNAMIC
 */
export function resolveShapes(
  model: Model,
  inputShapes: Readonly<Record<string, readonly number[]>> = {},
  signature?: string,
): Model {
  const at = subgraphOfSignature(model, signature);
  const names = inputNames(model, signature);
  const indices = Array.from(elementAt(model.subgraphs, at).inputs ?? []);
  const given = new Map(
    Object.entries(inputShapes).map(([name, shape]) => {
      const position = names.indexOf(name);
      if (position < 0) throw fail('INPUT_UNKNOWN', { input: name, known: names.join(', ') });
      return [elementAt(indices, position), shape] as const;
    }),
  );
  const { operands } = describeGraph(model, kernelProfiles[defaultKernelProfile], at, given);
  const copy = copyModel(model);
  dropMemoryPlan(copy);
  for (const [index, tensor] of elementAt(copy.subgraphs, at).tensors.entries()) {
    const shape = Int32Array.from(operands[index]?.shape ?? []);
    if (given.size > 0 || shape.join() !== tensor.shape?.join()) tensor.shapeSignature = null;
    tensor.shape = shape;
  }
  return copy;
}
