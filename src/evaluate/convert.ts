// Converts between real values and a model's tensors with each tensor's quantization.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { type Dataset, sameButOnes } from '../data/index.js';
import { elementCount } from '../formats/tflite/index.js';
import { type Extremes, extremesOf, roundHalfAway, type TensorInfo } from '../simulator/index.js';

export interface ConvertedSample {
  /** All inputs of the model one after another, little-endian, in the model's types. */
  readonly bytes: Uint8Array;
  /** Number of values outside the range that the input can represent. */
  readonly saturated: number;
}

/** For every input of the model, the index of the dataset input that feeds it: by name, otherwise by position. */
export function matchInputs(dataset: Dataset, inputs: readonly TensorInfo[]): number[] {
  const mismatch = (reason: string): Error => fail('DATASET_MISMATCH', { dataset: dataset.name, reason });
  if (dataset.inputs.length !== inputs.length)
    throw mismatch(`it has ${dataset.inputs.length} input(s), the model ${inputs.length}`);
  const stranger = dataset.inputs.find(({ name }) => name !== null && !inputs.some((input) => isNamed(input, name)));
  if (stranger !== undefined)
    throw mismatch(`its input ${stranger.name} is not an input of the model (${inputs.map(namesOf).join(', ')})`);
  return inputs.map((input, i) => {
    const named = dataset.inputs.findIndex(({ name }) => name !== null && isNamed(input, name));
    const position = named >= 0 ? named : i;
    const shape = dataset.inputs[position]?.shape ?? null;
    if (shape !== null && dataset.windows === null && !sameButOnes(shape, input.shape)) {
      const text =
        `a sample has shape [${shape.join(', ')}], input ${input.name} ` + `of the model [${input.shape.join(', ')}]`;
      throw mismatch(`${text}${advice(shape, input.shape)}`);
    }
    return position;
  });
}

/** Index of the output that the dataset evaluates: the named one, or the first. */
export function matchOutput(
  { name, output }: Pick<Dataset, 'name' | 'output'>,
  outputs: readonly TensorInfo[],
): number {
  if (output === null) return 0;
  const found = outputs.findIndex((one) => isNamed(one, output));
  if (found >= 0) return found;
  throw fail('DATASET_MISMATCH', {
    dataset: name,
    reason: `its output ${output} is not an output of the model (${outputs.map(namesOf).join('; ')})`,
  });
}

const namesOf = ({ name, alias }: TensorInfo): string => (alias === undefined ? name : `${alias}, which is ${name}`);

const isNamed = ({ name, alias }: TensorInfo, wanted: string): boolean => wanted === name || wanted === alias;

/** The most likely reason why a shape with the same number of elements differs. */
function advice(shape: readonly number[], wanted: readonly number[]): string {
  if (elementCount(shape) !== elementCount(wanted)) return '';
  const [channels = 1, ...rest] = shape.filter((size) => size !== 1);
  if (rest.length > 0 && sameButOnes([...rest, channels], wanted))
    return ': it looks like channels first (NCHW); `layout: nchw` in the dataset file transposes it';
  if (rest.length === 0)
    return (
      ': if its values are in that order, declare it with shape: ' +
      `[${wanted.filter((size, d) => d > 0 || size !== 1).join(', ')}]`
    );
  return ': the same number of values, but in other places';
}

/**
 * Converts real values to the bytes of the model's inputs: q = round(x / scale) + zeroPoint, clamped, as the QUANTIZE
 * kernel does.
 * @throws DATASET_MISMATCH if a sample has another number of values than its input
 */
export function toModelInput(
  values: readonly Float32Array[],
  inputs: readonly TensorInfo[],
  order: readonly number[],
  dataset: string,
): ConvertedSample {
  const bytes = new Uint8Array(inputs.reduce((sum, input) => sum + input.bytes, 0));
  let at = 0;
  let saturated = 0;
  inputs.forEach((input, i) => {
    const source = elementAt(values, elementAt(order, i));
    const count = elementCount(input.shape);
    if (source.length !== count) {
      throw fail('DATASET_MISMATCH', {
        dataset,
        reason: `a sample has ${source.length} values, input ${input.name} of the model has ${count}`,
      });
    }
    saturated += encode(source, input, bytes.subarray(at, at + input.bytes));
    at += input.bytes;
  });
  return { bytes, saturated };
}

/** Writes the values in the tensor's type; returns how many were clamped. */
function encode(values: Float32Array, tensor: TensorInfo, out: Uint8Array): number {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  if (tensor.type === 'float32') {
    // Host byte order; Atoll runs on little-endian machines only.
    out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return 0;
  }
  const { scale, zeroPoint } = tensor.quantization ?? { scale: 1, zeroPoint: 0 };
  const [low, high] = integerLimits(tensor.type);
  let clamped = 0;
  values.forEach((value, i) => {
    const q = roundHalfAway(Math.fround(value / scale)) + zeroPoint;
    const inside = Math.min(high, Math.max(low, q));
    if (inside !== q) clamped += 1;
    setInteger(view, tensor, i, inside);
  });
  return clamped;
}

/** Converts a tensor's bytes to real values: (q - zeroPoint) * scale. */
export function toRealValues(bytes: Uint8Array, tensor: TensorInfo): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = elementCount(tensor.shape);
  const out = new Float32Array(count);
  const { scale, zeroPoint } = tensor.quantization ?? { scale: 1, zeroPoint: 0 };
  for (let i = 0; i < count; i++)
    out[i] =
      tensor.type === 'float32' ? view.getFloat32(4 * i, true) : (getInteger(view, tensor, i) - zeroPoint) * scale;
  return out;
}

/** The smallest and the largest integer of a type. */
export function integerLimits(type: string): readonly [number, number] {
  switch (type) {
    case 'int8':
      return [-128, 127];
    case 'uint8':
      return [0, 255];
    case 'int16':
      return [-32768, 32767];
    default:
      return [-(2 ** 31), 2 ** 31 - 1];
  }
}

function setInteger(view: DataView, tensor: TensorInfo, i: number, value: number): void {
  switch (tensor.type) {
    case 'int8':
      return view.setInt8(i, value);
    case 'uint8':
    case 'bool':
      return view.setUint8(i, value);
    case 'int16':
      return view.setInt16(2 * i, value, true);
    case 'int64':
      return view.setBigInt64(8 * i, BigInt(value), true);
    default:
      return view.setInt32(4 * i, value, true);
  }
}

function getInteger(view: DataView, tensor: TensorInfo, i: number): number {
  switch (tensor.type) {
    case 'int8':
      return view.getInt8(i);
    case 'uint8':
    case 'bool':
      return view.getUint8(i);
    case 'int16':
      return view.getInt16(2 * i, true);
    case 'int64':
      return Number(view.getBigInt64(8 * i, true));
    default:
      return view.getInt32(4 * i, true);
  }
}

/**
 * @returns the smallest and largest value of each input
 * @throws DATASET_INVALID if a sample holds a value that is not a finite number
 */
export function requireNumbers(inputs: readonly Float32Array[], index: number, dataset: Dataset): Extremes[] {
  return inputs.map((values) => {
    const extremes = extremesOf(values);
    const bad = extremes.finite ? undefined : values.find((value) => !Number.isFinite(value));
    if (bad !== undefined)
      throw fail('DATASET_INVALID', { where: dataset.path, reason: `sample ${index} contains the value ${bad}` });
    return extremes;
  });
}
