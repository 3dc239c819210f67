// From the configuration of a Keras model to the neutral graph: models within models are unfolded, and each call of a
// layer becomes a node.

import { elementAt } from '../../../base/checked.js';
import type { SourceGraph, SourceInput, SourceNode } from '../graph.js';
import { sourceInvalid } from '../json.js';
import {
  type ConfiguredLayer,
  inputOf,
  type LayerCall,
  type ModelConfig,
  type TensorReference,
} from './model-config.js';
import type { WeightScope } from './weights.js';

/** Most calls of layers in a model, models within it included: a limit on what a small file can unfold to. */
const maxNodes = 100_000;

/** @throws SOURCE_INVALID */
export function graphOf(
  model: ModelConfig,
  weights: WeightScope,
  origin: Pick<SourceGraph, 'format' | 'producer'>,
): SourceGraph {
  const nodes: SourceNode[] = [];
  const inputs: SourceInput[] = model.inputs.map(({ layer }) =>
    inputOf(
      elementAt(
        model.layers.filter(({ name }) => name === layer),
        0,
      ),
      layer,
    ),
  );
  const outputs = unfold(
    model,
    weights,
    { path: '', value: '' },
    inputs.map(({ value }) => value),
    nodes,
  );
  const names = outputNames(model);
  return {
    ...origin,
    name: model.name,
    inputs,
    outputs: outputs.map((value, i) => ({ value, name: elementAt(names, i) })),
    nodes,
  };
}

/** Outputs are named after their layers; a layer with several gets numbers, as two outputs cannot share a name. */
function outputNames(model: ModelConfig): string[] {
  const seen = new Map<string, number>();
  return model.outputs.map(({ layer }) => {
    const count = seen.get(layer) ?? 0;
    seen.set(layer, count + 1);
    return count === 0 ? layer : `${layer}_${count}`;
  });
}

/** Prefixes of a model within a model: of paths, which users read, and of values, which differ for each call. */
interface Prefixes {
  readonly path: string;
  readonly value: string;
}

interface Call {
  readonly layer: ConfiguredLayer;
  readonly index: number;
  readonly call: LayerCall;
}

/** Appends the nodes of a model. @returns the values of its outputs */
function unfold(
  model: ModelConfig,
  weights: WeightScope,
  prefixes: Prefixes,
  inputs: readonly string[],
  nodes: SourceNode[],
): readonly string[] {
  const results = new Map<string, readonly string[]>();
  model.inputs.forEach(({ layer }, i) => {
    if (inputs[i] === undefined)
      throw sourceInvalid(
        `${prefixes.path}${layer}`,
        `the model has ${model.inputs.length} inputs, its call gives ${inputs.length}`,
      );
    results.set(keyOf({ layer, call: 0 }), [inputs[i]]);
  });
  const resultOf = (reference: TensorReference): string => {
    const value = results.get(keyOf(reference))?.[reference.position];
    if (value === undefined)
      throw sourceInvalid(
        `${prefixes.path}${reference.layer}`,
        `there is no result ${reference.position} of call ${reference.call}`,
      );
    return value;
  };
  const counts = resultCounts(model);
  for (const { layer, index, call } of inOrder(model, results, prefixes.path)) {
    const path = `${prefixes.path}${layer.name}`;
    const key = keyOf({ layer: layer.name, call: index });
    const value = `${prefixes.value}${index === 0 ? layer.name : `${layer.name}#${index}`}`;
    const from = call.tensors.map(resultOf);
    if (layer.model !== null) {
      const scope = weights.ofModel(layer, layer.model.layers);
      results.set(key, unfold(layer.model, scope, { path: `${path}/`, value: `${value}/` }, from, nodes));
      continue;
    }
    if (nodes.length === maxNodes) throw sourceInvalid(path, `the model has more than ${maxNodes} layers`);
    const to = Array.from({ length: counts.get(key) ?? 1 }, (_, i) => (i === 0 ? value : `${value}:${i}`));
    results.set(key, to);
    nodes.push({
      path,
      operator: layer.className,
      inputs: from,
      outputs: to,
      attributes: { ...layer.config, call: { args: call.args, kwargs: call.kwargs } },
      weights: weights.ofLayer(layer),
    });
  }
  return model.outputs.map(resultOf);
}

function keyOf({ layer, call }: Pick<TensorReference, 'layer' | 'call'>): string {
  return `${call}:${layer}`;
}

/** How many results of each call are read. */
function resultCounts(model: ModelConfig): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const used = [...model.outputs, ...model.layers.flatMap(({ calls }) => calls.flatMap(({ tensors }) => tensors))];
  for (const reference of used) {
    const key = keyOf(reference);
    counts.set(key, Math.max(counts.get(key) ?? 1, reference.position + 1));
  }
  return counts;
}

/** The calls of a model, each after those whose results it reads. @throws SOURCE_INVALID if they form a circle */
function inOrder(model: ModelConfig, given: ReadonlyMap<string, unknown>, path: string): readonly Call[] {
  const calls = new Map<string, Call>();
  for (const layer of model.layers)
    for (const [index, call] of layer.calls.entries())
      calls.set(keyOf({ layer: layer.name, call: index }), { layer, index, call });
  const done = new Set<string>(given.keys());
  const open = new Set<string>();
  const ordered: Call[] = [];
  // A list instead of recursion: models may be thousands of layers deep.
  const stack = [...calls.keys()].reverse();
  for (let key = stack.at(-1); key !== undefined; key = stack.at(-1)) {
    const call = calls.get(key);
    if (call === undefined || done.has(key)) {
      stack.pop();
      continue;
    }
    const missing = open.has(key) ? [] : call.call.tensors.map(keyOf).filter((one) => calls.has(one) && !done.has(one));
    open.add(key);
    if (missing.length > 0) {
      const circle = missing.find((one) => open.has(one));
      if (circle !== undefined) throw sourceInvalid(`${path}${call.layer.name}`, 'it depends on its own result');
      stack.push(...missing.reverse());
      continue;
    }
    stack.pop();
    done.add(key);
    ordered.push(call);
  }
  return ordered;
}
