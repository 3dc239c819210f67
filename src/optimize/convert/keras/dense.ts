// Layers of Keras that multiply by a matrix, or take rows of one.

import { elementAt } from '../../../base/checked.js';
import * as emit from '../emit.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { combined, floats, multiplied, type NdArray } from '../reference/arrays.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import { activationOf } from './activations.js';

function denseWeights(node: NodeReader, inputs: number) {
  const kernel = node.floats(0, [inputs, null]);
  const units = elementAt(kernel.shape, 1);
  return { kernel, bias: node.flag('use_bias', true) ? node.floats(1, [units]) : null };
}

const dense: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const { kernel, bias } = denseWeights(node, x.shape.at(-1) ?? 1);
    return [activationOf(node).lower(graph, emit.dense(graph, x, kernel, bias))];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const { kernel, bias } = denseWeights(node, x.shape.at(-1) ?? 1);
    const product = multiplied(x, kernel);
    return [activationOf(node).evaluate(bias === null ? product : combined(product, bias, (a, b) => a + b))];
  },
};

function embeddingTable(node: NodeReader): NdArray {
  if (node.flag('mask_zero', false)) throw node.refused('it has mask_zero: masks are not converted');
  return node.floats(0, [null, null]);
}

const embedding: SourceOperator = {
  lower: (node, inputs, graph) => {
    const given = inputAt(node, inputs, 0);
    const rows =
      given.type === 'int32'
        ? given
        : graph.add('CAST', [given], {
            types: ['int32'],
            options: { kind: 'CastOptions', inDataType: 0, outDataType: 2 },
          });
    const table = emit.constantOf(graph, embeddingTable(node), 'embeddings');
    return [graph.add('GATHER', [table, rows], { options: { kind: 'GatherOptions', axis: 0, batchDims: 0 } })];
  },
  evaluate: (node, inputs) => {
    const rows = inputAt(node, inputs, 0);
    const table = embeddingTable(node);
    const width = elementAt(table.shape, 1);
    const result = floats([...rows.shape, width]);
    rows.data.forEach((row: number | bigint, i: number) => {
      const start = Math.trunc(Number(row)) * width;
      (result.data as Float32Array).set((table.data as Float32Array).subarray(start, start + width), i * width);
    });
    return [result];
  },
};

export const denseLayers: OperatorTable = { Dense: dense, Embedding: embedding };
