// The shape of every lowering: one entry per layer or operator of a framework. `lower` builds operators of the model,
// `evaluate` computes what the framework defines; the conversion is checked by comparing the two.

import type { SourceNode } from '../../formats/source/index.js';
import type { GraphBuilder, Value } from './graph-builder.js';
import type { NodeReader } from './node-reader.js';
import type { NdArray } from './reference/arrays.js';

/** How one layer or operator of a framework is converted. */
export interface SourceOperator {
  /** @returns a value for each output of the node. @throws CONVERT_LAYER for a form that has no equivalent */
  readonly lower: (node: NodeReader, inputs: readonly Value[], graph: GraphBuilder) => readonly Value[];
  /** The same computation by its definition. Shapes as in the framework, the batch first. */
  readonly evaluate: (node: NodeReader, inputs: readonly NdArray[]) => readonly NdArray[];
}

/** Operators by the name that a file gives them. */
export type OperatorTable = Readonly<Record<string, SourceOperator>>;

/** Finds the entry of a node; undefined if it cannot be converted. */
export type OperatorLookup = (node: SourceNode) => SourceOperator | undefined;
