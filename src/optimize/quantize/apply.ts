// Applies a plan: a float model and a plan give a quantized model.

import { defined, elementAt } from '../../base/checked.js';
import {
  addBuffer,
  BuiltinOperator,
  compact,
  constantFloats,
  copyModel,
  create,
  elementCount,
  type Model,
  type Operator,
  type OperatorName,
  operatorCodeIndex,
  operatorName,
  type QuantizationParameters,
  type SubGraph,
  schema,
  type Tensor,
  TensorType,
  unaryOperator,
} from '../../formats/tflite/index.js';
import { roundHalfAway } from '../../simulator/index.js';
import { float16Bytes } from './float16.js';
import type { ConversionPlan } from './formats.js';
import { elementsIn, parametersOf, tensorTypeOf } from './number-format.js';
import { quantizeWeight } from './parameters.js';
import type { QuantizationPlan, SubgraphPlan } from './plan.js';
import type { BiasPlan, WeightsPlan } from './weights.js';

export function applyPlan(model: Model, plan: QuantizationPlan): Model {
  const copy = copyModel(model);
  for (const part of plan.subgraphs) new Application(copy, elementAt(copy.subgraphs, part.subgraph), part).run();
  compact(copy);
  return copy;
}

class Application {
  /** The operators with the plan's numbers; inserted ones are not among them. */
  private readonly planned: readonly Operator[];

  constructor(
    private readonly model: Model,
    private readonly subgraph: SubGraph,
    private readonly plan: SubgraphPlan,
  ) {
    this.planned = [...subgraph.operators];
  }

  run(): void {
    const { model, subgraph, plan } = this;
    for (const weights of plan.weights) this.rewire(weights.operator, weights.input, this.int8Weights(weights));
    for (const bias of plan.biases) this.rewire(bias.operator, bias.input, this.quantizedBias(bias));
    for (const tensor of plan.float16Constants) this.store16(tensor);
    const written = new Set(plan.activations.map(({ tensor }) => tensor));
    const conversions = plan.conversions.map((conversion) =>
      this.converted(conversion, written.has(conversion.tensor)),
    );
    for (const activation of plan.activations) {
      const tensor = elementAt(subgraph.tensors, activation.tensor);
      const constant = constantFloats(model, tensor);
      if (constant !== null) tensor.buffer = addBuffer(model, elementsIn(activation, constant));
      tensor.type = tensorTypeOf(activation.type);
      tensor.quantization = parametersOf([activation.scale], activation.zeroPoint);
    }
    for (const connect of conversions) connect();
    for (const tensor of subgraph.tensors) {
      tensor.shapeSignature = null;
      // The scale that the file gave has been used.
      if (tensor.type === TensorType.FLOAT32) tensor.quantization = null;
    }
    plan.operators.forEach(({ version }, o) => {
      const operator = elementAt(this.planned, o);
      const name = operatorName(model, operator);
      // Custom operators stay unchanged.
      if (name in BuiltinOperator) operator.opcodeIndex = operatorCodeIndex(model, name as OperatorName, version);
    });
    for (const { operator } of plan.weights.filter(({ operator: o }) => plan.operators[o]?.mode === 'dynamic-range')) {
      const options = this.planned[operator]?.builtinOptions;
      if (options?.kind === 'FullyConnectedOptions') options.asymmetricQuantizeInputs = true;
    }
  }

  private rewire(operator: number, input: number, tensor: number): void {
    const target = this.planned[operator];
    if (target !== undefined) target.inputs = target.inputs?.with(input, tensor) ?? null;
  }

  private addTensor(
    like: Tensor,
    type: number,
    data: Uint8Array | null,
    quantization: QuantizationParameters | null,
    name = like.name,
  ): number {
    const buffer = data === null ? 0 : addBuffer(this.model, data);
    return (
      this.subgraph.tensors.push(create(schema.Tensor, { name, shape: like.shape, type, buffer, quantization })) - 1
    );
  }

  private floatsOf(tensor: Tensor): Float32Array {
    return defined(constantFloats(this.model, tensor));
  }

  private int8Weights({ tensor: index, axis, scales }: WeightsPlan): number {
    const tensor = elementAt(this.subgraph.tensors, index);
    const values = this.floatsOf(tensor);
    const inner = axis === null ? values.length : elementCount((tensor.shape ?? new Int32Array(0)).slice(axis + 1));
    const quantized = new Int8Array(values.length);
    for (let start = 0; start < values.length; start += inner) {
      const scale = elementAt(scales, (start / inner) % scales.length);
      values.subarray(start, start + inner).forEach((value, i) => {
        quantized[start + i] = quantizeWeight(value, scale);
      });
    }
    return this.addTensor(
      tensor,
      TensorType.INT8,
      new Uint8Array(quantized.buffer),
      parametersOf(scales, 0, axis ?? 0),
    );
  }

  private quantizedBias({ tensor: index, type, scales }: BiasPlan): number {
    const tensor = elementAt(this.subgraph.tensors, index);
    const whole = Array.from(this.floatsOf(tensor), (value, i) =>
      roundHalfAway(value / elementAt(scales, i % scales.length)),
    );
    const data = type === 'int32' ? Int32Array.from(whole) : BigInt64Array.from(whole, BigInt);
    return this.addTensor(
      tensor,
      type === 'int32' ? TensorType.INT32 : TensorType.INT64,
      new Uint8Array(data.buffer),
      parametersOf(scales),
    );
  }

  /** Stores the tensor's data as float16; its readers read the output of a DEQUANTIZE. */
  private store16(index: number): void {
    const tensor = elementAt(this.subgraph.tensors, index);
    const stored = this.addTensor(tensor, TensorType.FLOAT16, float16Bytes(this.floatsOf(tensor)), null);
    tensor.buffer = 0;
    tensor.name = `${tensor.name ?? ''}/dequantized`;
    this.insert('DEQUANTIZE', 3, stored, index, this.subgraph.operators[0]);
  }

  /**
   * Adds the converted tensor to the float model, and returns a function that connects it once every tensor has its
   * format.
   */
  private converted(conversion: ConversionPlan, isWritten: boolean): () => void {
    const { subgraph } = this;
    const tensor = elementAt(subgraph.tensors, conversion.tensor);
    const { type, scale, zeroPoint } = conversion;
    const constant = isWritten ? null : constantFloats(this.model, tensor);
    const parameters = type === 'float32' ? null : parametersOf([scale], zeroPoint);
    const name = constant === null ? `${tensor.name ?? ''}/${type === 'float32' ? 'dequantized' : type}` : tensor.name;
    const added = this.addTensor(
      tensor,
      tensorTypeOf(type),
      constant === null ? null : elementsIn(conversion, constant),
      parameters,
      name,
    );
    return () => {
      const readers = conversion.readers.flatMap(({ operator }) =>
        operator === null ? [] : [elementAt(this.planned, operator)],
      );
      if (constant === null) {
        const [conversionName, version] =
          type === 'float32' ? (['DEQUANTIZE', 3] as const) : (['QUANTIZE', 2] as const);
        this.insert(
          conversionName,
          version,
          conversion.tensor,
          added,
          subgraph.operators.find((operator) => readers.includes(operator)),
        );
      }
      for (const { operator, input } of conversion.readers) {
        if (operator !== null) this.rewire(operator, input, added);
        else this.rewireOutput(input, conversion.tensor, added);
      }
    };
  }

  private rewireOutput(position: number, from: number, to: number): void {
    this.subgraph.outputs = this.subgraph.outputs?.with(position, to) ?? null;
    const index = this.model.subgraphs.indexOf(this.subgraph);
    for (const { subgraphIndex, outputs } of this.model.signatureDefs) {
      if (subgraphIndex !== index) continue;
      for (const entry of outputs) if (entry.tensorIndex === from) entry.tensorIndex = to;
    }
  }

  /** Inserts an operator before another one, or at the end. */
  private insert(
    name: OperatorName,
    version: number,
    input: number,
    output: number,
    before: Operator | undefined,
  ): void {
    const { operators } = this.subgraph;
    const operator = unaryOperator(this.model, name, version, input, output);
    operators.splice(before === undefined ? operators.length : operators.indexOf(before), 0, operator);
  }
}
