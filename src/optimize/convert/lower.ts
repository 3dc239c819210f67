// Builds a float model from a source graph: each node is replaced by operators of the model, by the table of its
// framework.

import { elementAt } from '../../base/checked.js';
import { AtollError, fail } from '../../base/errors.js';
import type { SourceGraph, SourceInput, SourceNode, SourceType } from '../../formats/source/index.js';
import type { ElementType, Model } from '../../formats/tflite/index.js';
import { GraphBuilder, type Value } from './graph-builder.js';
import { NodeReader } from './node-reader.js';
import type { OperatorLookup } from './source-operator.js';

/** A model, and where it holds the values of the source graph. */
export interface Lowered {
  readonly model: Model;
  /** Name of the tensor that holds a value of the source graph. */
  readonly tensorNames: ReadonlyMap<string, string>;
}

/** Shapes of inputs that replace those of the file, by input name. */
export type GivenShapes = Readonly<Record<string, readonly number[]>>;

/**
 * The shapes of the inputs; an open batch becomes 1.
 * @throws INPUT_UNKNOWN; CONVERT_INPUT_SHAPE if another dimension is open
 */
export function inputShapes(source: SourceGraph, given: GivenShapes = {}): ReadonlyMap<string, readonly number[]> {
  const names = source.inputs.map(({ name }) => name);
  for (const name of Object.keys(given))
    if (!names.includes(name)) throw fail('INPUT_UNKNOWN', { input: name, known: names.join(', ') });
  return new Map(source.inputs.map((input) => [input.value, given[input.name] ?? knownShape(input)]));
}

function knownShape({ name, shape }: SourceInput): readonly number[] {
  const text = shape === null ? 'not stored' : `[${shape.map((size) => size ?? '?').join(', ')}]`;
  return (shape ?? [null, null]).map((size, d) => {
    if (size === null && d > 0) throw fail('CONVERT_INPUT_SHAPE', { input: name, shape: text });
    return size ?? 1;
  });
}

const inputTypes: Partial<Record<SourceType, ElementType>> = {
  int8: 'int8',
  uint8: 'uint8',
  int16: 'int16',
  int32: 'int32',
  int64: 'int64',
  bool: 'bool',
};

export function inputType({ type }: SourceInput): ElementType {
  return inputTypes[type] ?? 'float32';
}

/** Every node that no entry of the table converts. @throws CONVERT_UNSUPPORTED with all of them */
export function refuseUnknown(source: SourceGraph, lookup: OperatorLookup): void {
  const unknown = source.nodes.filter((node) => lookup(node) === undefined);
  if (unknown.length === 0) return;
  const described = unknown.map(({ path, operator }) =>
    operator === 'Lambda' ? `${path} (Lambda: Python code, which is not run)` : `${path} (${operator})`,
  );
  const shown = described.slice(0, 10).join(', ');
  throw fail('CONVERT_UNSUPPORTED', {
    count: unknown.length,
    layers: described.length > 10 ? `${shown} and ${described.length - 10} more` : shown,
    first: elementAt(unknown, 0).path,
  });
}

/** Major version of Keras that wrote a graph; a large number if it is unknown. TensorFlow.js follows Keras 2. */
export function majorVersion({ format, producer }: SourceGraph): number {
  if (format === 'tfjs-layers') return 2;
  return Number(/\d+/.exec(producer ?? '')?.[0] ?? 99);
}

/** @throws CONVERT_UNSUPPORTED, CONVERT_LAYER, CONVERT_INPUT_SHAPE, INPUT_UNKNOWN */
export function lower(
  source: SourceGraph,
  lookup: OperatorLookup,
  given: GivenShapes = {},
  maxUnrolled?: number,
): Lowered {
  refuseUnknown(source, lookup);
  const graph = new GraphBuilder(maxUnrolled);
  const shapes = inputShapes(source, given);
  const values = new Map<string, Value>();
  const tensorNames = new Map<string, string>();
  for (const input of source.inputs) {
    values.set(input.value, graph.input(input.name, inputType(input), shapes.get(input.value) ?? []));
    tensorNames.set(input.value, input.name);
  }
  const named = new Set([...values.values()].map(({ tensor }) => tensor));
  for (const node of source.nodes) {
    const outputs = lowerNode(node, lookup, values, graph, majorVersion(source));
    for (const [i, name] of node.outputs.entries()) {
      const value = outputs[i];
      if (value === undefined) throw new NodeReader(node, 0).refused(`it has no result ${i}`);
      values.set(name, value);
      // A layer that returns its input has no tensor of its own, and constants keep their names.
      if (named.has(value.tensor) || value.data !== null) continue;
      named.add(value.tensor);
      graph.rename(value, name);
      tensorNames.set(name, name);
    }
  }
  return { model: graph.finish(inputsOf(source, values), outputsOf(source, values, graph)), tensorNames };
}

function lowerNode(
  node: SourceNode,
  lookup: OperatorLookup,
  values: ReadonlyMap<string, Value>,
  graph: GraphBuilder,
  version: number,
): readonly Value[] {
  const reader = new NodeReader(node, version);
  const inputs = node.inputs.map((name) => {
    const value = values.get(name);
    if (value === undefined) throw reader.refused(`its input ${JSON.stringify(name)} is not computed before`);
    return value;
  });
  graph.enter(node.path);
  try {
    return lookup(node)?.lower(reader, inputs, graph) ?? [];
  } catch (error) {
    // The model's operator found that its inputs do not fit.
    if (error instanceof AtollError && error.code === 'OPERATOR_INVALID') throw reader.refused(error.message);
    throw error;
  }
}

function inputsOf(source: SourceGraph, values: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  return new Map(source.inputs.map(({ name, value }) => [name, elementOf(values, value)]));
}

/** A model's outputs are computed tensors, each returned once. */
function outputsOf(source: SourceGraph, values: ReadonlyMap<string, Value>, graph: GraphBuilder): Map<string, Value> {
  const outputs = new Map<string, Value>();
  const returned = new Set<number>();
  for (const { name, value } of source.outputs) {
    const found = elementOf(values, value);
    const isInput = source.inputs.some((input) => values.get(input.value)?.tensor === found.tensor);
    const own = returned.has(found.tensor) || isInput ? graph.copyOf(found, name) : found;
    returned.add(own.tensor);
    outputs.set(name, own);
  }
  return outputs;
}

function elementOf(values: ReadonlyMap<string, Value>, name: string): Value {
  const value = values.get(name);
  if (value === undefined) throw fail('SOURCE_INVALID', { where: name, reason: 'nothing computes this output' });
  return value;
}
