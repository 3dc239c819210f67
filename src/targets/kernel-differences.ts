// Where CMSIS-NN's kernels differ from the reference kernels, measured with tflite-micro 90b983c2 and CMSIS-NN 4ab83cc3
// on emulated Cortex-M0+, M4 and M55. The kernel profile cmsis-nn covers the state of LSTM and the softmax of single
// values; `check` warns about the others, which depend on shapes.

import {
  constantBytes,
  type Model,
  mainSubgraph,
  type Operator,
  operatorName,
  Padding,
  type SubGraph,
  TensorType,
} from '../formats/tflite/index.js';

export interface KernelDifference {
  readonly operator: number;
  readonly op: string;
  readonly what: string;
}

type Finder = (model: Model, graph: SubGraph, operator: Operator) => string | null;

const shapeAt = (graph: SubGraph, operator: Operator, input: number): number[] =>
  Array.from(graph.tensors[operator.inputs?.[input] ?? -1]?.shape ?? []);
const typeAt = (graph: SubGraph, operator: Operator, input: number): number | undefined =>
  graph.tensors[operator.inputs?.[input] ?? -1]?.type;

/** @param mve whether the core has vector instructions, which select other kernels */
function findersOf(mve: boolean): Readonly<Record<string, Finder>> {
  return {
    UNIDIRECTIONAL_SEQUENCE_LSTM: () =>
      'its state does not persist between invocations: a stream is computed as if reset before every sample',
    SVDF: (_, graph, operator) =>
      typeAt(graph, operator, 4) === TensorType.INT8 ? 'its int8 state ignores its zero point and may wrap' : null,
    TRANSPOSE_CONV: (_, graph, operator) => {
      const options = operator.builtinOptions;
      const [, height = 0, width = 0] = shapeAt(graph, operator, 1);
      if (options?.kind !== 'TransposeConvOptions' || typeAt(graph, operator, 2) !== TensorType.INT8) return null;
      if (height < options.strideH || width < options.strideW)
        return 'its filter is smaller than its stride: the kernel requests too small a buffer';
      const top = options.padding === Padding.SAME ? Math.floor(Math.max(0, height - options.strideH) / 2) : 0;
      return top % options.strideH === 0
        ? null
        : `its top padding of ${top} is not a multiple of its stride of ${options.strideH}`;
    },
    ...(mve ? vectorFinders : {}),
  };
}

const vectorFinders: Readonly<Record<string, Finder>> = {
  CONV_2D: (_, graph, operator) => {
    const options = operator.builtinOptions;
    const [, inputHeight = 0, inputWidth = 0] = shapeAt(graph, operator, 0);
    const [, height = 0, width = 0] = shapeAt(graph, operator, 1);
    if (
      options?.kind !== 'Conv2DOptions' ||
      options.padding !== Padding.SAME ||
      inputHeight !== 1 ||
      height !== 1 ||
      options.strideW !== 2
    )
      return null;
    const padding = Math.max(0, (Math.ceil(inputWidth / 2) - 1) * 2 + width - inputWidth);
    return padding - Math.floor(padding / 2) >= 2
      ? 'a row convolution of stride 2 with a right padding of 2 or more'
      : null;
  },
  TRANSPOSE: (model, graph, operator) => {
    const permutation = graph.tensors[operator.inputs?.[1] ?? -1];
    const bytes = permutation === undefined ? null : constantBytes(model, permutation);
    if (bytes === null || bytes.byteLength !== 16) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return [0, 1, 2, 3].every((d) => view.getInt32(4 * d, true) === d)
      ? 'an identity of four dimensions is treated as a swap of the last two'
      : null;
  },
};

/** The operators of the main subgraph whose results with CMSIS-NN may differ from the simulator's. */
export function cmsisNnDifferences(model: Model, mve: boolean): KernelDifference[] {
  const graph = mainSubgraph(model);
  const finders = findersOf(mve);
  return graph.operators.flatMap((operator, index) => {
    const op = operatorName(model, operator);
    const what = finders[op]?.(model, graph, operator) ?? null;
    return what === null ? [] : [{ operator: index, op, what }];
  });
}
