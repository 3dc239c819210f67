// Where the weights of a layer are in a file. The formats differ in how they name them; all list those of one layer in
// the same order, that of the layer's variables.

import type { Attributes, SourceWeight } from '../graph.js';
import { sourceInvalid } from '../json.js';
import type { Hdf5Group } from './hdf5.js';

/** A layer as the configuration of its model lists it. */
export interface LayerConfig {
  readonly className: string;
  readonly name: string;
  readonly config: Attributes;
}

/** The weights of the layers of one model. */
export interface WeightScope {
  /** @throws SOURCE_INVALID */
  readonly ofLayer: (layer: LayerConfig) => readonly SourceWeight[];
  /** The weights of a model that is used as a layer. */
  readonly ofModel: (model: LayerConfig, layers: readonly LayerConfig[]) => WeightScope;
}

/** Layers that a layer holds, in the order of its variables, as Keras 3 names their groups in a file. */
const heldLayers: Readonly<Record<string, readonly string[]>> = {
  Bidirectional: ['forward_layer', 'backward_layer'],
  MultiHeadAttention: ['query_dense', 'key_dense', 'value_dense', 'output_dense'],
  GroupQueryAttention: ['query_dense', 'key_dense', 'value_dense', 'output_dense'],
};
const anyHeld = ['cell', 'layer'];

/**
 * Weights of a `.keras` archive (model.weights.h5): each layer has a group `vars` with datasets 0, 1, 2, ... Groups are
 * named after classes; the layer's name is an attribute of `vars`, which older versions do not write.
 */
export function archiveScope(root: Hdf5Group, layers: readonly LayerConfig[]): WeightScope {
  const parent = root.child('layers') ?? root.child('_layer_checkpoint_dependencies') ?? root;
  const groups = groupsByName(parent, layers);
  const groupOf = (layer: LayerConfig): Hdf5Group | null => groups.get(layer.name) ?? null;
  return {
    ofLayer: (layer) => {
      const group = groupOf(layer);
      return group === null ? [] : variablesOf(group, layer.className);
    },
    ofModel: (model, inner) => archiveScope(groupOf(model) ?? root, inner),
  };
}

function variablesOf(group: Hdf5Group, className: string): SourceWeight[] {
  const variables = group.child('vars');
  const own = (variables?.names ?? [])
    .toSorted((a, b) => Number(a) - Number(b))
    .flatMap((name) => variables?.weight(name) ?? []);
  const held = (heldLayers[className] ?? anyHeld).flatMap((name) => group.child(name) ?? []);
  return [...own, ...held.flatMap((one) => variablesOf(one, ''))];
}

function groupsByName(parent: Hdf5Group, layers: readonly LayerConfig[]): ReadonlyMap<string, Hdf5Group> {
  const named = new Map<string, Hdf5Group>();
  for (const name of parent.names) {
    const group = parent.child(name);
    const layer = group?.child('vars')?.text('name') ?? null;
    if (group !== null && layer !== null) named.set(layer, group);
  }
  if (named.size > 0) return named;
  const counts = new Map<string, number>();
  for (const { className, name } of layers) {
    const base = snakeCase(className);
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    const group = parent.child(count === 0 ? base : `${base}_${count}`);
    if (group !== null) named.set(name, group);
  }
  return named;
}

/** The name of a class in a weights file (keras.src.utils.naming.to_snake_case). */
export function snakeCase(className: string): string {
  return className
    .replaceAll(/\W+/g, '')
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** A weight with its name in the list of its model. */
interface NamedWeight {
  readonly name: string;
  readonly weight: SourceWeight;
}

/**
 * Weights of an `.h5` file: each layer of the outer model has a group with a list of names. A model that is used as a
 * layer has one list: the trainable weights of all its layers, then the others.
 */
export function legacyScope(root: Hdf5Group): WeightScope {
  const listOf = ({ name }: LayerConfig): NamedWeight[] => {
    const group = root.child(name);
    return (group?.texts('weight_names') ?? []).map((weightName) => {
      const weight = group?.weight(weightName) ?? null;
      if (weight === null) throw sourceInvalid(`${root.path}/${name}`, `there are no weights ${weightName}`);
      return { name: weightName, weight };
    });
  };
  return {
    ofLayer: (layer) => listOf(layer).map(({ weight }) => weight),
    ofModel: (model, layers) => listScope(listOf(model), layers),
  };
}

/** Splits the list of a model among its layers: by name, since nothing says how many each has. */
export function listScope(list: readonly NamedWeight[], layers: readonly LayerConfig[]): WeightScope {
  const owners = new Map<string, NamedWeight[]>();
  const names = new Set(layers.map(({ name }) => name));
  for (const entry of list) {
    // The outermost part that names a layer: a layer within it may have the name of another.
    const owner = entry.name.split('/').find((part) => names.has(part));
    if (owner !== undefined) owners.set(owner, [...(owners.get(owner) ?? []), entry]);
  }
  return {
    ofLayer: ({ name }) => (owners.get(name) ?? []).map(({ weight }) => weight),
    ofModel: (model, inner) => listScope(owners.get(model.name) ?? leftOf(list, owners), inner),
  };
}

/** Keras 2 does not always put the name of a model before those of its layers. */
function leftOf(list: readonly NamedWeight[], owners: ReadonlyMap<string, readonly NamedWeight[]>): NamedWeight[] {
  const taken = new Set([...owners.values()].flat());
  return list.filter((entry) => !taken.has(entry));
}
