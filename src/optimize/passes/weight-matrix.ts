// The weights of one layer as a [channel, place] matrix, to change and write back.

import { elementAt } from '../../base/checked.js';
import { addFloats, constantFloats, type Model, operatorName } from '../../formats/tflite/index.js';
import { type Layer, layersOf } from '../../simulator/index.js';

export interface WeightMatrix {
  readonly subgraph: number;
  readonly layer: Layer;
  readonly op: string;
  readonly name: string;
  /** In the file's order; `layer.weightAt` gives the index. */
  readonly values: Float32Array;
}

/** One matrix per layer with constant float weights, in order; weights shared by several layers occur once. */
export function weightMatrices(model: Model): WeightMatrix[] {
  return model.subgraphs.flatMap((subgraph, index) => {
    const seen = new Set<number>();
    return layersOf(model, index).flatMap((layer) => {
      if (seen.has(layer.weights)) return [];
      seen.add(layer.weights);
      const tensor = elementAt(subgraph.tensors, layer.weights);
      const values = constantFloats(model, tensor);
      const op = operatorName(model, elementAt(subgraph.operators, layer.operator));
      return values === null ? [] : [{ subgraph: index, layer, op, name: tensor.name ?? '', values }];
    });
  });
}

/** Gives all layers that read these weights new ones, in a new tensor. */
export function storeWeights(model: Model, { subgraph: index, layer }: WeightMatrix, values: Float32Array): void {
  const subgraph = elementAt(model.subgraphs, index);
  const added = addFloats(model, subgraph, elementAt(subgraph.tensors, layer.weights), values);
  for (const operator of subgraph.operators) {
    if (operator.inputs?.[1] === layer.weights) operator.inputs = operator.inputs.with(1, added);
  }
}
