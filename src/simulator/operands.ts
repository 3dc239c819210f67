// Converts tensors of the file to operands for kernels.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import {
  bytesOfElements,
  constantBytes,
  type ElementType,
  elementCount,
  elementTypeOf,
  type Model,
  type SparsityParameters,
  type Tensor,
  tensorLabel,
  typeName,
} from '../formats/tflite/index.js';
import type { ElementArray, Operand } from './operators/operator.js';
import { denseBytes } from './sparse.js';

/** Storage of a tensor's elements that are not in the file. */
export type Storage =
  /** In linear memory, once that is allocated. */
  | { readonly kind: 'computed'; readonly address: () => number; readonly buffer: () => ArrayBufferLike }
  /** Known before the model runs. */
  | { readonly kind: 'known'; readonly elements: () => ElementArray };

/** @throws TFLITE_INVALID */
export function bindTensor(
  model: Model,
  tensor: Tensor,
  index: number,
  shape: readonly number[],
  storage: Storage,
): Operand {
  const label = tensorLabel(index, tensor);
  const type = elementTypeOf(tensor);
  if (type === null)
    throw fail('TFLITE_INVALID', {
      reason: `nothing here computes with type ${typeName(tensor.type)}`,
      where: `tensor ${label}`,
    });
  const count = elementCount(shape);
  const constant = tensor.isVariable ? null : constantBytes(model, tensor);
  const described = {
    index,
    label,
    type,
    shape,
    count,
    scale: tensor.quantization?.scale ?? new Float32Array(0),
    zeroPoint: Int32Array.from(tensor.quantization?.zeroPoint ?? [], Number),
    axis: tensor.quantization?.quantizedDimension ?? 0,
    constant: constant !== null || storage.kind === 'known',
    variable: tensor.isVariable,
  };
  if (constant !== null && tensor.sparsity !== null) return sparseConstant(described, constant, tensor.sparsity);
  if (constant !== null) return { ...described, address: null, data: constantData(type, constant, count, label) };
  if (type === 'int4')
    throw fail('TFLITE_INVALID', { reason: 'int4 is for weights that the file holds', where: `tensor ${label}` });
  if (storage.kind === 'known')
    return {
      ...described,
      address: null,
      get data() {
        return storage.elements();
      },
    };
  let view: ElementArray | null = null;
  return {
    ...described,
    get address() {
      return storage.address();
    },
    get data() {
      view ??= viewOf(type, storage.buffer(), storage.address(), count);
      return view;
    },
  };
}

/** A constant whose elements the file omits, possibly many: created on first use. */
function sparseConstant(
  described: Omit<Operand, 'address' | 'data'>,
  bytes: Uint8Array,
  sparsity: SparsityParameters,
): Operand {
  const { type, count, shape, label } = described;
  if (type === 'int4') throw fail('TFLITE_INVALID', { reason: 'int4 that is sparse', where: `tensor ${label}` });
  let data: ElementArray | null = null;
  return {
    ...described,
    address: null,
    get data() {
      data ??= constantData(
        type,
        denseBytes(bytes, bytesOfElements(type, 1), shape, sparsity, `tensor ${label}`),
        count,
        label,
      );
      return data;
    },
  };
}

/** Elements in memory of their own, initially 0. */
export function elementsOf({ type, count }: Pick<Operand, 'type' | 'count'>): ElementArray {
  return viewOf(type, new ArrayBuffer(bytesOfElements(type, count)), 0, count);
}

function constantData(type: ElementType, bytes: Uint8Array, count: number, label: string): ElementArray {
  const need = bytesOfElements(type, count);
  if (bytes.byteLength !== need) {
    throw fail('TFLITE_INVALID', {
      reason: `${bytes.byteLength} bytes of data for a shape that needs ${need}`,
      where: `tensor ${label}`,
    });
  }
  if (type === 'int4') return unpackInt4(bytes, count);
  const aligned = bytes.byteOffset % bytesOfElements(type, 1) === 0 ? bytes : bytes.slice();
  return viewOf(type, aligned.buffer, aligned.byteOffset, count);
}

/** The even elements are in the low halves of the bytes. */
function unpackInt4(bytes: Uint8Array, count: number): Int8Array {
  return Int8Array.from({ length: count }, (_, i) => (elementAt(bytes, i >> 1) << (i % 2 === 0 ? 28 : 24)) >> 28);
}

export function viewOf(type: ElementType, buffer: ArrayBufferLike, offset: number, count: number): ElementArray {
  switch (type) {
    case 'float32':
      return new Float32Array(buffer, offset, count);
    case 'float16':
      return new Uint16Array(buffer, offset, count);
    case 'int4':
    case 'int8':
      return new Int8Array(buffer, offset, count);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, offset, count);
    case 'int16':
      return new Int16Array(buffer, offset, count);
    case 'int32':
    case 'resource':
      return new Int32Array(buffer, offset, count);
    case 'uint32':
      return new Uint32Array(buffer, offset, count);
    case 'int64':
      return new BigInt64Array(buffer, offset, count);
  }
}
