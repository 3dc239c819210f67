// Checks a written file, not the model that was written: what goes to the device is what is proved int8 throughout.

import { fail } from '../errors.js';
import { Interpreter } from '../simulator/index.js';
import { linksOf, type Model, mainSubgraph, operatorName, readModel, type Tensor, TensorType, tensorLabel, typeName, weightsAxis } from '../tflite/index.js';

/**
 * Reads the file back and checks that it is integer only, inside and at its edges, and that every kernel takes it.
 * @throws MODEL_NOT_INT8 naming the tensor
 */
export function verifyInt8(bytes: Uint8Array): Model {
  const model = readModel(bytes, 'the int8 model');
  const subgraph = mainSubgraph(model);
  const refuse = (index: number, reason: string): Error =>
    fail('MODEL_NOT_INT8', { reason: `tensor ${tensorLabel(index, subgraph.tensors[index] as Tensor)} ${reason}` });
  subgraph.tensors.forEach((tensor, index) => {
    if (tensor.type === TensorType.FLOAT32 || tensor.type === TensorType.FLOAT16 || tensor.type === TensorType.FLOAT64) {
      throw refuse(index, `is still ${typeName(tensor.type)}`);
    }
    const scales = Array.from(tensor.quantization?.scale ?? []);
    if (tensor.type === TensorType.INT8 && scales.length === 0) throw refuse(index, 'has no scale');
    const bad = scales.find((scale) => !(scale > 0 && Number.isFinite(scale)));
    if (bad !== undefined) throw refuse(index, `has scale ${bad}`);
  });
  for (const index of [...(subgraph.inputs ?? []), ...(subgraph.outputs ?? [])]) {
    const tensor = subgraph.tensors[index] as Tensor;
    if (tensor.type !== TensorType.INT8) throw refuse(index, `at the edge is ${typeName(tensor.type)}, not int8`);
  }
  const converters = new Set(['QUANTIZE', 'DEQUANTIZE']);
  const { consumers, producer: producers } = linksOf(subgraph);
  for (const index of subgraph.inputs ?? []) {
    if ((consumers.get(index) ?? []).some((operator) => converters.has(operatorName(model, operator)))) throw refuse(index, 'is converted at the edge');
  }
  for (const index of subgraph.outputs ?? []) {
    const producer = producers.get(index);
    if (producer !== undefined && converters.has(operatorName(model, producer))) throw refuse(index, 'is converted at the edge');
  }
  verifyBiases(model, refuse);
  try {
    new Interpreter(model);
  } catch (error) {
    throw fail('MODEL_NOT_INT8', { reason: error instanceof Error ? error.message : String(error) }, error);
  }
  return model;
}

/** A bias is int32 at input scale times weight scale; kernels add it without looking at its own scale. */
function verifyBiases(model: Model, refuse: (index: number, reason: string) => Error): void {
  const subgraph = mainSubgraph(model);
  for (const operator of subgraph.operators) {
    const [input = -1, weights = -1, bias = -1] = operator.inputs ?? [];
    if (weightsAxis[operatorName(model, operator)] === undefined || bias < 0) continue;
    const [inputScale, weightScales, biasTensor] = [
      subgraph.tensors[input]?.quantization?.scale?.[0],
      subgraph.tensors[weights]?.quantization?.scale,
      subgraph.tensors[bias] as Tensor,
    ];
    if (biasTensor.type !== TensorType.INT32) throw refuse(bias, `is a bias of ${typeName(biasTensor.type)}`);
    const biasScales = biasTensor.quantization?.scale ?? new Float32Array(0);
    if (biasScales.length !== weightScales?.length) throw refuse(bias, `has ${biasScales.length} scales for ${weightScales?.length ?? 0} of its weights`);
    biasScales.forEach((scale, c) => {
      const product = (inputScale ?? 0) * (weightScales[c] as number);
      if (Math.abs(scale - product) > 1e-6 * product) throw refuse(bias, `has scale ${scale} in channel ${c}, not input times weights ${product}`);
    });
  }
}
