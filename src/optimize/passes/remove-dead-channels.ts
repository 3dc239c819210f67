// Removes channels that are always 0, from the layer that computes them to the layer that reads them: smaller weights
// and tensors, with the same outputs on the samples.

import { defined, elementAt } from '../../base/checked.js';
import { type Reference, Tracer } from '../../evaluate/index.js';
import {
  addFloats,
  compact,
  constantFloats,
  copyModel,
  elementCount,
  isConstantFloat,
  isPrivate,
  type Links,
  linksOf,
  type Model,
  mainSubgraph,
  type Operator,
  operatorName,
  type SubGraph,
} from '../../formats/tflite/index.js';
import { layersOf } from '../../simulator/index.js';
import type { Changed } from './pass.js';

/** Operators allowed between the two layers: each output channel depends on the same input channel only. */
const channelwise = new Set(['DEPTHWISE_CONV_2D', 'RELU', 'RELU6', 'MAX_POOL_2D', 'AVERAGE_POOL_2D']);

/** Supports models with one subgraph and returns others unchanged. Counts channels. */
export function removeDeadChannels(model: Model, reference: Reference): Changed {
  const [signature] = reference.signatures;
  if (model.subgraphs.length !== 1 || signature === undefined) return { model, changes: 0 };
  const copy = copyModel(model);
  const chains = chainsOf(copy);
  const tracer = new Tracer(model, signature.signature, new Set(chains.map(({ last }) => last)));
  const alive = chains.map(({ channels }) => new Uint8Array(channels));
  for (const { inputs, continues } of signature.runs) {
    const values = tracer.run(inputs, continues);
    chains.forEach(({ last, channels }, i) => {
      values.get(last)?.forEach((value, at) => {
        if (value !== 0) elementAt(alive, i)[at % channels] = 1;
      });
    });
  }
  let changes = 0;
  chains.forEach((chain, i) => {
    const kept = Array.from({ length: chain.channels }, (_, c) => c).filter((c) => alive[i]?.[c] === 1);
    // Keep at least one channel.
    if (kept.length === chain.channels || kept.length === 0) return;
    shrink(copy, chain, kept);
    changes += chain.channels - kept.length;
  });
  if (changes === 0) return { model, changes };
  compact(copy);
  return { model: copy, changes };
}

/** From an operator that mixes channels to the next one that does. */
interface Chain {
  readonly first: Operator;
  readonly between: readonly Operator[];
  readonly next: Operator;
  /** The tensor that `next` reads. */
  readonly last: number;
  readonly channels: number;
}

function chainsOf(model: Model): Chain[] {
  const subgraph = mainSubgraph(model);
  const links = linksOf(subgraph);
  return layersOf(model)
    .filter(({ groups }) => groups === 1)
    .flatMap(({ operator, channels }): Chain[] => {
      const first = elementAt(subgraph.operators, operator);
      const between: Operator[] = [];
      let last = defined(first.outputs?.[0]);
      for (
        let reader = onlyReader(subgraph, links, last);
        reader !== null;
        reader = onlyReader(subgraph, links, last)
      ) {
        if (reads(model, subgraph, reader, channels))
          return isEditable(model, subgraph, [first, ...between, reader])
            ? [{ first, between, next: reader, last, channels }]
            : [];
        if (!channelwise.has(operatorName(model, reader)) || multipliesChannels(model, subgraph, reader, channels))
          return [];
        between.push(reader);
        last = defined(reader.outputs?.[0]);
      }
      return [];
    });
}

function onlyReader(subgraph: SubGraph, links: Links, tensor: number): Operator | null {
  const [reader] = links.consumers.get(tensor) ?? [];
  return reader === undefined || reader.inputs?.[0] !== tensor || !isPrivate(subgraph, links, tensor) ? null : reader;
}

/** Whether each of its outputs reads this many channels, each with weights of its own. */
function reads(model: Model, subgraph: SubGraph, operator: Operator, channels: number): boolean {
  const name = operatorName(model, operator);
  return (
    (name === 'CONV_2D' || name === 'FULLY_CONNECTED') && shapeOf(subgraph, operator.inputs?.[1]).at(-1) === channels
  );
}

function multipliesChannels(model: Model, subgraph: SubGraph, operator: Operator, channels: number): boolean {
  return (
    operatorName(model, operator) === 'DEPTHWISE_CONV_2D' && shapeOf(subgraph, operator.inputs?.[1]).at(-1) !== channels
  );
}

/** Whether all weights and biases are constant floats. */
function isEditable(model: Model, { tensors }: SubGraph, operators: readonly Operator[]): boolean {
  return operators.every(({ inputs }) =>
    Array.from(inputs ?? [])
      .slice(1)
      .every((input) => input < 0 || isConstantFloat(model, elementAt(tensors, input))),
  );
}

function shapeOf({ tensors }: SubGraph, tensor: number | undefined): number[] {
  return Array.from(tensors[tensor ?? -1]?.shape ?? []);
}

function shrink(model: Model, { first, between, next }: Chain, kept: readonly number[]): void {
  // For convolutions and dense layers the first dimension is outputs, the last one inputs.
  replace(model, first, 1, 0, kept);
  replace(model, first, 2, 0, kept);
  for (const operator of between) {
    replace(model, operator, 1, -1, kept);
    replace(model, operator, 2, 0, kept);
  }
  replace(model, next, 1, -1, kept);
  const subgraph = mainSubgraph(model);
  for (const { outputs } of [first, ...between]) {
    const tensor = subgraph.tensors[outputs?.[0] ?? -1];
    if (tensor?.shape != null) tensor.shape = tensor.shape.with(-1, kept.length);
    if (tensor?.shapeSignature != null) tensor.shapeSignature = tensor.shapeSignature.with(-1, kept.length);
  }
}

/** Replaces a constant by the kept places along a dimension; does nothing if the operator has no such input. */
function replace(model: Model, operator: Operator, input: number, dimension: number, kept: readonly number[]): void {
  const subgraph = mainSubgraph(model);
  const tensor = subgraph.tensors[operator.inputs?.[input] ?? -1];
  const values = tensor === undefined ? null : constantFloats(model, tensor);
  if (tensor === undefined || values === null) return;
  const shape = Array.from(tensor.shape ?? []);
  const axis = dimension < 0 ? shape.length + dimension : dimension;
  const inner = elementCount(shape.slice(axis + 1));
  const length = elementAt(shape, axis);
  const wanted = new Set(kept);
  const left = values.filter((_, at) => wanted.has(Math.floor(at / inner) % length));
  const added = addFloats(
    model,
    subgraph,
    { name: tensor.name, shape: Int32Array.from(shape.with(axis, kept.length)) },
    left,
  );
  operator.inputs = operator.inputs?.with(input, added) ?? null;
}
