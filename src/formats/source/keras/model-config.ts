// The configuration of a Keras model, whatever version wrote it: layers, and the calls that connect them.

import type { Attribute, Attributes, SourceInput, SourceType } from '../graph.js';
import { asList, asObject, asText, describe, isList, isObject, sourceInvalid } from '../json.js';
import type { LayerConfig } from './weights.js';

/** A tensor that a call of a layer returned: layer, call, and position among the call's results. */
export interface TensorReference {
  readonly layer: string;
  readonly call: number;
  readonly position: number;
}

/** One call of a layer. */
export interface LayerCall {
  /** The tensors among the arguments, in order. */
  readonly tensors: readonly TensorReference[];
  /** Arguments as the layer gets them; tensors are `{ tensor: i }`, an index of `tensors`. */
  readonly args: readonly Attribute[];
  readonly kwargs: Attributes;
}

/** A layer with its calls. */
export interface ConfiguredLayer extends LayerConfig {
  readonly calls: readonly LayerCall[];
  /** The layers of a model that is used as a layer; null for other layers. */
  readonly model: ModelConfig | null;
}

/** A functional or sequential model. */
export interface ModelConfig {
  readonly name: string;
  readonly layers: readonly ConfiguredLayer[];
  readonly inputs: readonly TensorReference[];
  readonly outputs: readonly TensorReference[];
}

const modelClasses: ReadonlySet<string> = new Set(['Functional', 'Sequential', 'Model']);

/** @returns null for a class of the user's own, whose structure only its code knows */
export function parseModel(className: string, config: Attribute | undefined, where: string): ModelConfig | null {
  if (!modelClasses.has(className)) return null;
  // Keras before 2.2 stores the layers of a sequential model as a bare list.
  const object = isList(config) ? { layers: config } : asObject(config, where);
  if (object.layers === undefined) return null;
  const name = typeof object.name === 'string' ? object.name : className.toLowerCase();
  const layers = asList(object.layers, `${where}: layers`).map((entry, i) => parseLayer(entry, `${where}: layer ${i}`));
  return className === 'Sequential' ? sequential(name, layers, object) : functional(name, layers, object, where);
}

function parseLayer(entry: Attribute, where: string): ConfiguredLayer {
  const layer = asObject(entry, where);
  const className = asText(layer.class_name, `${where}: class_name`);
  const nested = modelClasses.has(className);
  const config = nested && isList(layer.config) ? {} : asObject(layer.config, `${where}: config`);
  const name = asText(layer.name ?? config.name, `${where}: name`);
  const calls = isList(layer.inbound_nodes)
    ? layer.inbound_nodes.map((call) => parseCall(call, `${where} ${name}: inbound_nodes`))
    : [];
  return {
    className: operatorOf(className, config),
    name,
    config,
    calls,
    model: nested ? parseModel(className, layer.config, `${where} ${name}`) : null,
  };
}

/** Class of a layer; functions of TensorFlow that are used as layers are `tf.math.add`. */
function operatorOf(className: string, config: Attributes): string {
  if (/^(TFOpLambda|SlicingOpLambda)$/.test(className) && typeof config.function === 'string')
    return `tf.${config.function}`;
  // Keras registers classes of its applications under their package: `keras.applications.convnext>LayerScale`.
  return className.split('>').at(-1) ?? className;
}

function sequential(name: string, layers: readonly ConfiguredLayer[], config: Attributes): ModelConfig {
  const first = layers[0];
  const given =
    first?.className === 'InputLayer'
      ? []
      : [
          inputLayer(
            `${first?.name ?? name}_input`,
            first?.config.batch_input_shape ?? config.build_input_shape ?? null,
          ),
        ];
  const chain = [...given, ...layers].map((layer, i, all): ConfiguredLayer => {
    const before = all[i - 1];
    return before === undefined ? { ...layer, calls: [] } : { ...layer, calls: [callOn(before.name)] };
  });
  const last = chain.at(-1);
  return {
    name,
    layers: chain,
    inputs: chain[0] === undefined ? [] : [referenceTo(chain[0].name)],
    outputs: last === undefined ? [] : [referenceTo(last.name)],
  };
}

function inputLayer(name: string, shape: Attribute): ConfiguredLayer {
  return { className: 'InputLayer', name, config: { name, batch_shape: shape }, calls: [], model: null };
}

function callOn(layer: string): LayerCall {
  return { tensors: [referenceTo(layer)], args: [{ tensor: 0 }], kwargs: {} };
}

function referenceTo(layer: string): TensorReference {
  return { layer, call: 0, position: 0 };
}

function functional(name: string, layers: readonly ConfiguredLayer[], config: Attributes, where: string): ModelConfig {
  const known = new Map(layers.map((layer) => [layer.name, layer]));
  const inputs = references(config.input_layers, `${where}: input_layers`);
  const outputs = references(config.output_layers, `${where}: output_layers`);
  const used = [...inputs, ...outputs, ...layers.flatMap(({ calls }) => calls.flatMap(({ tensors }) => tensors))];
  for (const { layer } of used)
    if (!known.has(layer)) throw sourceInvalid(where, `layer ${JSON.stringify(layer)} is used but not defined`);
  const first = firstCalls(layers, used);
  const renumber = (reference: TensorReference): TensorReference => ({
    ...reference,
    call: reference.call - (first.get(reference.layer) ?? 0),
  });
  return {
    name,
    layers: layers.map((layer) => ({
      ...layer,
      calls: layer.calls.map((call) => ({ ...call, tensors: call.tensors.map(renumber) })),
    })),
    inputs: inputs.map(renumber),
    outputs: outputs.map(renumber),
  };
}

/**
 * A model that is used as a layer was called once when it was made, outside this model: its calls here are counted
 * from 1, while the file lists only those from here on.
 */
function firstCalls(layers: readonly ConfiguredLayer[], used: readonly TensorReference[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const { layer, call } of used) last.set(layer, Math.max(last.get(layer) ?? 0, call));
  return new Map(
    layers.map(({ name, calls }) => [name, Math.max(0, (last.get(name) ?? 0) + 1 - Math.max(1, calls.length))]),
  );
}

/** `["layer", 0, 0]`, lists of these, or objects whose values are such lists. */
function references(value: Attribute | undefined, where: string): readonly TensorReference[] {
  if (value === undefined) return [];
  const single = referenceIn(value);
  if (single !== null) return [single];
  const parts = isObject(value) ? Object.values(value) : asList(value, where);
  return parts.flatMap((part) => references(part, where));
}

/** A reference in the form of Keras 2, a list, or of Keras 3, an object. */
function referenceIn(value: Attribute): TensorReference | null {
  if (isObject(value)) {
    if (value.class_name !== '__keras_tensor__' || !isObject(value.config)) return null;
    return referenceIn(value.config.keras_history ?? null);
  }
  if (!isList(value)) return null;
  const [layer, call, position] = value;
  const isReference =
    (value.length === 3 || (value.length === 4 && isObject(value[3]))) &&
    typeof layer === 'string' &&
    isIndex(call) &&
    isIndex(position);
  return isReference ? { layer, call, position } : null;
}

const maxIndex = 10_000;

function isIndex(value: Attribute | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < maxIndex;
}

function parseCall(call: Attribute, where: string): LayerCall {
  const tensors: TensorReference[] = [];
  const replace = (value: Attribute): Attribute => {
    const reference = referenceIn(value);
    if (reference !== null) return { tensor: tensors.push(reference) - 1 };
    if (isList(value)) return value.map(replace);
    if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, replace(entry)]));
    return value;
  };
  // Keras 3.
  if (isObject(call)) {
    const args = asList(call.args ?? [], where).map(replace);
    return { args, kwargs: asObject(replace(call.kwargs ?? {}), where), tensors };
  }
  // Keras 2: a list of [layer, call, position, kwargs]; one of these alone if a function has a single tensor.
  const listed = asList(call, where);
  const entries = typeof listed[0] === 'string' ? [listed] : listed.map((entry) => asList(entry, where));
  const args = entries.map((entry): Attribute => {
    if (entry[0] === '_CONSTANT_VALUE') return entry[2] ?? null;
    if (referenceIn(entry) === null) throw sourceInvalid(where, `${describe(entry)} does not name a tensor`);
    return replace(entry.slice(0, 3));
  });
  const kwargs = entries[0]?.[3];
  return {
    args: args.length === 1 ? args : [args],
    kwargs: isObject(kwargs) ? asObject(replace(kwargs), where) : {},
    tensors,
  };
}

/** The value that an InputLayer stands for. */
export function inputOf(layer: LayerConfig, value: string): SourceInput {
  const shape = layer.config.batch_shape ?? layer.config.batch_input_shape ?? null;
  return {
    value,
    name: layer.name,
    type: typeOf(layer.config.dtype),
    shape: isList(shape) ? shape.map((size) => (isIndexLike(size) ? size : null)) : null,
  };
}

function isIndexLike(value: Attribute): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0;
}

const inputTypes: readonly SourceType[] = ['float32', 'int8', 'uint8', 'int16', 'int32', 'int64', 'bool'];

/** Floats of other widths become float32, as everywhere in a converted model. */
function typeOf(dtype: Attribute | undefined): SourceType {
  const name = isObject(dtype) && isObject(dtype.config) ? dtype.config.name : dtype;
  return inputTypes.find((type) => type === name) ?? 'float32';
}
