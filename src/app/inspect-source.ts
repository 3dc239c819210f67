// Describes a source model: inputs, outputs and layers, and which of them cannot be converted.

import type { SourceGraph } from '../formats/source/index.js';
import { elementCount } from '../formats/tflite/index.js';
import { isConvertible } from '../optimize/convert/index.js';

/** The description of a source model. */
export interface SourceInspection extends Pick<SourceGraph, 'format' | 'producer' | 'name'> {
  readonly inputs: readonly {
    readonly name: string;
    readonly type: string;
    /** Dimensions, the batch first; null for open ones. The whole shape is null if even the rank is unknown. */
    readonly shape: readonly (number | null)[] | null;
  }[];
  /** Names of the outputs. */
  readonly outputs: readonly string[];
  /** In execution order. */
  readonly layers: readonly {
    readonly path: string;
    readonly operator: string;
    /** Number of trained values. A layer that is used twice has them twice. */
    readonly parameters: number;
    /** Whether its class is converted; a form of it may still be refused. */
    readonly convertible: boolean;
  }[];
}

export function inspectSource(source: SourceGraph): SourceInspection {
  const { format, producer, name, inputs, outputs, nodes } = source;
  return {
    format,
    producer,
    name,
    inputs: inputs.map((input) => ({ name: input.name, type: input.type, shape: input.shape })),
    outputs: outputs.map((output) => output.name),
    layers: nodes.map((node) => ({
      path: node.path,
      operator: node.operator,
      parameters: node.weights.reduce((sum, { shape }) => sum + elementCount(shape), 0),
      convertible: isConvertible(source.format, node),
    })),
  };
}
