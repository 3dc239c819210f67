// Verifies the written file rather than the model in memory: exactly what goes to the device is checked against its
// scheme.

import { elementAt } from '../../base/checked.js';
import { fail, reasonOf } from '../../base/errors.js';
import type { Warning } from '../../base/warnings.js';
import {
  linksOf,
  type Model,
  operatorName,
  readModel,
  type SubGraph,
  TensorType,
  tensorLabel,
  typeName,
  weightsAxis,
} from '../../formats/tflite/index.js';
import { calledSubgraphs, Interpreter, limitsBroken, runtimeNames } from '../../simulator/index.js';
import { type NumberType, tensorTypeOf } from './number-format.js';
import { type SchemeName, schemes } from './scheme.js';

/**
 * Reads the file back and checks that it is int8 only, including inputs and outputs, and that every kernel accepts it.
 * @throws MODEL_NOT_INT8 naming the tensor
 */
export function verifyInt8(bytes: Uint8Array): Model {
  return verifyScheme(bytes, 'int8', 'int8');
}

/**
 * Reads the file back and checks that its tensors match the scheme, and that every kernel accepts them.
 * @throws MODEL_NOT_INT8 naming the tensor
 */
export function verifyScheme(bytes: Uint8Array, scheme: SchemeName, io: NumberType): Model {
  const model = readModel(bytes, 'the quantized model');
  const { activations, floatFallback } = schemes[scheme];
  const called = calledSubgraphs(model);
  model.subgraphs.forEach((subgraph, index) => {
    if (called.has(index)) return;
    const checks = new SubgraphChecks(model, subgraph, scheme);
    checks.scales();
    if (activations !== null) checks.biases();
    if (!floatFallback) checks.integersOnly(io);
  });
  const others = model.signatureDefs
    .filter(({ subgraphIndex }) => subgraphIndex > 0)
    .map(({ signatureKey }) => signatureKey ?? undefined);
  for (const signature of [undefined, ...others]) {
    try {
      // The plain kernels check everything.
      new Interpreter(model, { signature, kernels: 'plain' });
    } catch (error) {
      throw fail('MODEL_NOT_INT8', { scheme, reason: reasonOf(error) }, error);
    }
  }
  return model;
}

const runtimes = { tflm: 'tflm-reference', tflite: 'tflite-reference' } as const;

/**
 * Checks a quantized model against the limits of the runtimes that it is for. Scales and zero points must be within
 * them; limits on the graph itself give warnings.
 * @throws RUNTIME_REFUSES
 */
export function verifyLimits(model: Model, scheme: SchemeName): Warning[] {
  const { activations, floatFallback } = schemes[scheme];
  if (activations === null) return [];
  const ofInterest = floatFallback ? (['tflite'] as const) : (['tflm', 'tflite'] as const);
  return ofInterest.flatMap((runtime) => {
    const broken = limitsBroken(model, runtimes[runtime]);
    const numbers = broken.filter(({ about }) => about === 'numbers').map(({ place, reason }) => `${place}: ${reason}`);
    if (numbers.length > 0)
      throw fail('RUNTIME_REFUSES', { runtime: runtimeNames[runtime], reasons: numbers.join('; ') });
    return broken.map(({ place, reason }) => ({
      code: 'RUNTIME_LIMIT',
      message: `${runtimeNames[runtime]} does not accept ${place}: ${reason}`,
    }));
  });
}

const converters = new Set(['QUANTIZE', 'DEQUANTIZE']);

class SubgraphChecks {
  constructor(
    private readonly model: Model,
    private readonly subgraph: SubGraph,
    private readonly scheme: SchemeName,
  ) {}

  scales(): void {
    this.subgraph.tensors.forEach((tensor, index) => {
      const scales = Array.from(tensor.quantization?.scale ?? []);
      if (tensor.type === TensorType.INT8 && scales.length === 0) throw this.refuse(index, 'has no scale');
      const bad = scales.find((scale) => !(scale > 0 && Number.isFinite(scale)));
      if (bad !== undefined) throw this.refuse(index, `has scale ${bad}`);
    });
  }

  /**
   * No float tensors inside; inputs and outputs have the requested type, and are converted only if that differs from
   * the type in which the operators compute.
   */
  integersOnly(io: NumberType): void {
    const { inputs, outputs, tensors } = this.subgraph;
    const edges = new Set([...(inputs ?? []), ...(outputs ?? [])]);
    const floats: readonly number[] = [TensorType.FLOAT32, TensorType.FLOAT16, TensorType.FLOAT64];
    tensors.forEach((tensor, index) => {
      if (floats.includes(tensor.type) && !(io === 'float32' && edges.has(index)))
        throw this.refuse(index, `is still ${typeName(tensor.type)}`);
    });
    for (const index of edges) {
      const { type, quantization } = elementAt(tensors, index);
      // Inputs and outputs that are not real numbers, such as indices, keep their type.
      if (quantization?.scale != null && type !== tensorTypeOf(io))
        throw this.refuse(index, `is an input or output of type ${typeName(type)}, not ${io}`);
    }
    if (io === 'int8' || io === 'int16') this.noConversionAtEdges(edges);
  }

  private noConversionAtEdges(edges: ReadonlySet<number>): void {
    const { consumers, producer } = linksOf(this.subgraph);
    const floatTypes: readonly number[] = [TensorType.FLOAT32, TensorType.UINT8];
    const foreign = (tensors: Int32Array | null): boolean =>
      Array.from(tensors ?? []).some((index) => floatTypes.includes(this.subgraph.tensors[index]?.type ?? -1));
    for (const index of edges) {
      const converted = (consumers.get(index) ?? []).some(
        (operator) => this.converts(operator) && foreign(operator.outputs),
      );
      const made = producer.get(index);
      if (converted || (made !== undefined && this.converts(made) && foreign(made.inputs)))
        throw this.refuse(index, 'is converted at the input or output');
    }
  }

  private converts(operator: SubGraph['operators'][number]): boolean {
    return converters.has(operatorName(this.model, operator));
  }

  /** The bias scale must be input scale times weight scale: kernels add the bias without reading its scale. */
  biases(): void {
    const { operators, tensors } = this.subgraph;
    for (const operator of operators) {
      const [input = -1, weights = -1, bias = -1] = operator.inputs ?? [];
      if (weightsAxis[operatorName(this.model, operator)] === undefined || bias < 0) continue;
      const biasTensor = elementAt(tensors, bias);
      const inputType = tensors[input]?.type;
      if (inputType === TensorType.FLOAT32) continue;
      const expected = inputType === TensorType.INT16 ? TensorType.INT64 : TensorType.INT32;
      if (biasTensor.type !== expected) throw this.refuse(bias, `is a bias of ${typeName(biasTensor.type)}`);
      const [inputScale, weightScales] = [
        tensors[input]?.quantization?.scale?.[0],
        tensors[weights]?.quantization?.scale,
      ];
      const biasScales = biasTensor.quantization?.scale ?? new Float32Array(0);
      if (biasScales.length !== weightScales?.length)
        throw this.refuse(bias, `has ${biasScales.length} scales for ${weightScales?.length ?? 0} of its weights`);
      biasScales.forEach((scale, c) => {
        const product = (inputScale ?? 0) * elementAt(weightScales, c);
        if (Math.abs(scale - product) > 1e-6 * product)
          throw this.refuse(bias, `has scale ${scale} in channel ${c}, not input times weights ${product}`);
      });
    }
  }

  private refuse(index: number, reason: string): Error {
    return fail('MODEL_NOT_INT8', {
      scheme: this.scheme,
      reason: `tensor ${tensorLabel(index, elementAt(this.subgraph.tensors, index))} ${reason}`,
    });
  }
}
