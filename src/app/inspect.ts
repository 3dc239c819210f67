// Describes a model: inputs, outputs, operators with their multiply-accumulates, signatures, scheme.

import { createHash } from 'node:crypto';
import { elementAt } from '../base/checked.js';
import {
  compiledFor,
  type Model,
  mainSubgraph,
  operatorCodeOf,
  operatorName,
  type Tensor,
  typeName,
} from '../formats/tflite/index.js';
import { type Scheme, schemeOf } from '../optimize/quantize/index.js';
import { workOf } from '../simulator/index.js';
import { type CompiledDescription, compiledModelOf, describeCompiled } from '../targets/compiled/index.js';

/** An input or output of a model. */
export interface InspectedTensor {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  /** Dimensions, the batch first. */
  readonly shape: readonly number[];
  /** The shape with -1 for free dimensions, if it has any. */
  readonly shapeSignature: readonly number[] | null;
  readonly quantization: { readonly scale: number; readonly zeroPoint: number } | null;
}

/** The description of a model. */
export interface Inspection {
  readonly bytes: number;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
  readonly description: string;
  readonly scheme: Scheme;
  readonly inputs: readonly InspectedTensor[];
  readonly outputs: readonly InspectedTensor[];
  readonly operators: readonly {
    readonly index: number;
    readonly op: string;
    readonly version: number;
    readonly inputs: readonly number[];
    readonly outputs: readonly number[];
    /** Multiply-accumulates; null if unknown. */
    readonly macs: number | null;
  }[];
  /** Multiply-accumulates of one inference. */
  readonly macs: number;
  readonly subgraphs: number;
  readonly tensors: number;
  /** Bytes of constant tensors. */
  readonly parameterBytes: number;
  readonly signatures: readonly {
    readonly key: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
  }[];
  readonly metadata: readonly string[];
  /** Content of a model compiled by edgetpu_compiler; null for other models. */
  readonly edgeTpu: CompiledDescription | null;
  /** The accelerator compiler that made the file; null for other models. */
  readonly compiledBy: { readonly compiler: string; readonly accelerator: string } | null;
}

/** Describes a model: inputs, outputs, operators with their multiply-accumulates, signatures, scheme. */
export function inspect(model: Model, bytes: Uint8Array): Inspection {
  const subgraph = mainSubgraph(model);
  const work = workIfKnown(model);
  const tensors = (indices: Int32Array | null): InspectedTensor[] =>
    Array.from(indices ?? [], (index) => describe(index, elementAt(subgraph.tensors, index)));
  const compiled = compiledModelOf(model);
  const compiler = compiledFor(model);
  return {
    bytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    description: model.description ?? '',
    scheme: schemeOf(model),
    inputs: tensors(subgraph.inputs),
    outputs: tensors(subgraph.outputs),
    operators: subgraph.operators.map((operator, index) => ({
      index,
      op: operatorName(model, operator),
      version: operatorCodeOf(model, operator).version,
      inputs: Array.from(operator.inputs ?? []),
      outputs: Array.from(operator.outputs ?? []),
      macs: work[index]?.macs ?? null,
    })),
    macs: work.reduce((sum, one) => sum + (one?.macs ?? 0), 0),
    subgraphs: model.subgraphs.length,
    tensors: subgraph.tensors.length,
    parameterBytes: model.buffers.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0),
    signatures: model.signatureDefs.map((signature) => ({
      key: signature.signatureKey ?? '',
      inputs: signature.inputs.map(({ name }) => name ?? ''),
      outputs: signature.outputs.map(({ name }) => name ?? ''),
    })),
    metadata: model.metadata.map(({ name }) => name ?? ''),
    edgeTpu: compiled === null ? null : describeCompiled(compiled),
    compiledBy: compiler === null ? null : { compiler: compiler.compiler, accelerator: compiler.accelerator },
  };
}

/** A model that the simulator refuses can still be inspected. */
function workIfKnown(model: Model): readonly ({ readonly macs: number } | null)[] {
  try {
    return workOf(model);
  } catch {
    return mainSubgraph(model).operators.map(() => null);
  }
}

function describe(index: number, tensor: Tensor): InspectedTensor {
  const scale = tensor.quantization?.scale?.[0];
  const signature = tensor.shapeSignature;
  return {
    index,
    name: tensor.name ?? '',
    type: typeName(tensor.type),
    shape: Array.from(tensor.shape ?? []),
    shapeSignature: signature?.some((dimension) => dimension < 0) ? Array.from(signature) : null,
    quantization: scale === undefined ? null : { scale, zeroPoint: Number(tensor.quantization?.zeroPoint?.[0] ?? 0n) },
  };
}
