// Layers models of TensorFlow.js: model.json holds the configuration of a Keras model and a manifest of weights, whose
// bytes are in files beside it (tfjs-core, io/types.ts).

import { defined } from '../../../base/checked.js';
import { bytesOfShape, decodeElements } from '../elements.js';
import { refuseForeign } from '../foreign.js';
import type { Attribute, Attributes, NumericArray, SourceGraph, SourceType, SourceWeight } from '../graph.js';
import { asList, asObject, asText, describe, isObject, sourceInvalid } from '../json.js';
import { parseModel } from '../keras/model-config.js';
import { graphOf } from '../keras/topology.js';
import { listScope } from '../keras/weights.js';

/** Reads a file beside the model by its name. @throws FILE_NOT_READABLE */
export type ReadBeside = (name: string) => Promise<Uint8Array>;

/** Most elements of one weight: beyond that, sizes are not exact. */
const maxElements = 2 ** 31;

/** @throws SOURCE_INVALID, SOURCE_UNSUPPORTED, FILE_NOT_READABLE */
export async function readTfjsLayers(file: Attributes, where: string, readBeside: ReadBeside): Promise<SourceGraph> {
  const topology = asObject(file.modelTopology, `${where}: modelTopology`);
  // Converted from Python, the configuration is one level deeper.
  const config = isObject(topology.model_config) ? topology.model_config : topology;
  const className = asText(config.class_name, `${where}: class_name`);
  const model = parseModel(className, config.config, where);
  if (model === null) throw refuseForeign(where, 'keras-subclassed');
  const groups = asList(file.weightsManifest ?? [], `${where}: weightsManifest`);
  const weights: SourceWeight[] = [];
  for (const group of groups) weights.push(...(await readGroup(asObject(group, where), where, readBeside)));
  const scope = listScope(
    weights.map((weight) => ({ name: weight.name, weight })),
    model.layers,
  );
  const version = topology.keras_version;
  const producer = typeof version === 'string' ? `TensorFlow.js, Keras ${version}` : 'TensorFlow.js';
  return graphOf(model, scope, { format: 'tfjs-layers', producer });
}

/** Weights that follow one another in the files of a group. */
async function readGroup(group: Attributes, where: string, readBeside: ReadBeside): Promise<SourceWeight[]> {
  const parts: Uint8Array[] = [];
  for (const name of asList(group.paths, `${where}: paths`)) parts.push(await readBeside(safeName(name, where)));
  const bytes = parts.length === 1 ? defined(parts[0]) : Buffer.concat(parts);
  let offset = 0;
  return asList(group.weights, `${where}: weights`).map((entry) => {
    const spec = specOf(asObject(entry, where), where);
    const start = offset;
    offset += spec.bytes;
    if (offset > bytes.byteLength)
      throw sourceInvalid(where, `its files end before the weights ${spec.name}: ${bytes.byteLength} bytes`);
    const values = (): NumericArray => spec.decode(bytes.subarray(start, start + spec.bytes));
    return { name: spec.name, shape: spec.shape, type: spec.type, values };
  });
}

/** Weights are read from the model's folder only. */
function safeName(name: Attribute, where: string): string {
  const text = asText(name, `${where}: paths`);
  if (/^([/\\]|[a-z]:)|(^|[/\\])\.\.([/\\]|$)|\0/i.test(text))
    throw sourceInvalid(where, `its weights are in ${describe(text)}, outside its folder`);
  return text;
}

interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: SourceType;
  readonly bytes: number;
  readonly decode: (bytes: Uint8Array) => NumericArray;
}

const types: Readonly<Record<string, SourceType>> = { float32: 'float32', int32: 'int32', bool: 'bool' };

function specOf(entry: Attributes, where: string): WeightSpec {
  const name = asText(entry.name, `${where}: name of weights`);
  const type = types[asText(entry.dtype, `${where}: dtype of ${name}`)];
  if (type === undefined) throw sourceInvalid(where, `weights ${name} have the type ${describe(entry.dtype)}`);
  const shape = asList(entry.shape, `${where}: shape of ${name}`);
  const isSize = (size: Attribute): size is number => typeof size === 'number' && Number.isInteger(size) && size >= 0;
  if (!shape.every(isSize) || shape.reduce((product, size) => product * size, 1) > maxElements)
    throw sourceInvalid(where, `weights ${name} have the shape ${describe(shape)}`);
  const common = { name, shape, type };
  const stored = isObject(entry.quantization) ? entry.quantization : null;
  if (stored === null)
    return { ...common, bytes: bytesOfShape(type, shape), decode: (bytes) => decodeElements(type, bytes) };
  if (stored.dtype === 'float16')
    return { ...common, bytes: bytesOfShape('float16', shape), decode: (bytes) => decodeElements('float16', bytes) };
  const { dtype, scale, min } = stored;
  if ((dtype !== 'uint8' && dtype !== 'uint16') || typeof scale !== 'number' || typeof min !== 'number')
    throw sourceInvalid(where, `weights ${name} are quantized as ${describe(stored)}`);
  // Stored integers stand for q * scale + min.
  const decode = (bytes: Uint8Array): Float32Array =>
    Float32Array.from(decodeElements(dtype, bytes) as Uint8Array, (q) => q * scale + min);
  return { ...common, bytes: bytesOfShape(dtype, shape), decode };
}

/** A reader for bytes without a folder. */
export function noFilesBeside(where: string): ReadBeside {
  return (name) => Promise.reject(sourceInvalid(where, `its weights are in ${name}, which is not given`));
}
