// Cuts a source graph: ends the model before a layer that cannot be converted or is not wanted on the device.

import { fail } from '../../base/errors.js';
import { nearestText } from '../../base/nearest.js';
import type { SourceGraph, SourceNode, SourceOutput } from '../../formats/source/index.js';

/**
 * The graph up to a layer: what the layer reads becomes the outputs, named after the layers that compute it.
 * @param layer path of a layer, or of a model within the model
 * @throws CONVERT_NO_LAYER; CONVERT_LAYER if the layer reads nothing but inputs of the model
 */
export function stopBefore(source: SourceGraph, layer: string): SourceGraph {
  const first = source.nodes.findIndex(({ path }) => path === layer || path.startsWith(`${layer}/`));
  const node = source.nodes[first];
  if (node === undefined)
    throw fail('CONVERT_NO_LAYER', {
      layer,
      nearest: nearestText(
        layer,
        source.nodes.map(({ path }) => path),
      ),
    });
  const producers = new Map(source.nodes.slice(0, first).flatMap((one) => one.outputs.map((value) => [value, one])));
  const outputs = node.inputs.flatMap((value): SourceOutput[] => {
    const producer = producers.get(value);
    return producer === undefined ? [] : [{ value, name: outputName(producer, value) }];
  });
  if (outputs.length === 0)
    throw fail('CONVERT_LAYER', { layer, operator: node.operator, reason: 'no layer is left before it' });
  return withoutUnused({ ...source, outputs: distinct(outputs) });
}

function outputName({ path, outputs }: SourceNode, value: string): string {
  const position = outputs.indexOf(value);
  return position === 0 ? path : `${path}:${position}`;
}

function distinct(outputs: readonly SourceOutput[]): SourceOutput[] {
  return [...new Map(outputs.map((output) => [output.value, output])).values()];
}

/** Drops the nodes that no output depends on. */
export function withoutUnused(source: SourceGraph): SourceGraph {
  const needed = new Set(source.outputs.map(({ value }) => value));
  const nodes = source.nodes.toReversed().filter(({ inputs, outputs }) => {
    const isNeeded = outputs.some((value) => needed.has(value));
    if (isNeeded) for (const value of inputs) needed.add(value);
    return isNeeded;
  });
  return { ...source, nodes: nodes.reverse() };
}
