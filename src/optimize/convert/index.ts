// Converts source models to float models: each node of the source graph is lowered to operators of the model, the graph
// passes fold and fuse them, and the result is compared with a reference interpreter of the source graph.

import { fail } from '../../base/errors.js';
import type { OnProgress } from '../../base/progress.js';
import type { SourceFormat, SourceGraph, SourceNode } from '../../formats/source/index.js';
import type { Model } from '../../formats/tflite/index.js';
import { optimize } from '../passes/index.js';
import { type ConversionCheck, checkConversion } from './check.js';
import { kerasFamilies, kerasOperator } from './keras/index.js';
import { type GivenShapes, lower } from './lower.js';
import type { OperatorLookup } from './source-operator.js';
import { stopBefore, withoutUnused } from './stop-before.js';

export type { ConversionCheck } from './check.js';
export type { GivenShapes } from './lower.js';

const lookups: Readonly<Record<SourceFormat, OperatorLookup>> = {
  keras: kerasOperator,
  'tfjs-layers': kerasOperator,
};

/** Names of what is converted, by format and family. */
export const convertedOperators: Readonly<
  Record<SourceFormat, readonly { readonly title: string; readonly names: readonly string[] }[]>
> = {
  keras: namesOf(kerasFamilies),
  'tfjs-layers': namesOf(kerasFamilies),
};

function namesOf(families: typeof kerasFamilies) {
  return families.map(({ title, table }) => ({ title, names: Object.keys(table).sort() }));
}

/** Whether the class of a layer or operator is converted; a form of it may still be refused. */
export function isConvertible(format: SourceFormat, node: SourceNode): boolean {
  return lookups[format](node) !== undefined;
}

/** Settings of a conversion. */
export interface ConvertOptions {
  /** Shapes of inputs, by name, for inputs whose sizes are open. */
  readonly shapes?: GivenShapes | undefined;
  /** The longest sequence for which recurrent layers are unrolled, in steps; 128 by default. */
  readonly maxUnrolled?: number | undefined;
  /** Path of a layer: the model ends before it. */
  readonly stopBefore?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** A converted model. */
export interface Conversion {
  readonly model: Model;
  /** Number of layers or operators of the source model that it computes. */
  readonly layers: number;
  readonly checked: ConversionCheck;
}

/**
 * Converts a source graph to a float model, channels last, with an open batch as 1.
 * @throws CONVERT_UNSUPPORTED with every layer that cannot be converted; CONVERT_LAYER for a form of a layer;
 * CONVERT_INPUT_SHAPE, CONVERT_NO_LAYER, INPUT_UNKNOWN; CONVERT_DIFFERS if the result is wrong
 */
export async function convert(
  given: SourceGraph,
  { shapes = {}, stopBefore: layer, maxUnrolled, signal, onProgress }: ConvertOptions = {},
): Promise<Conversion> {
  const source = withoutUnused(layer === undefined ? given : stopBefore(given, layer));
  const lookup = lookups[source.format];
  if (source.outputs.length === 0) throw fail('SOURCE_INVALID', { where: source.name, reason: 'it has no outputs' });
  const { model: unoptimized, tensorNames } = lower(source, lookup, shapes, maxUnrolled);
  signal?.throwIfAborted();
  const { model } = optimize(unoptimized);
  const checked = await checkConversion(source, model, tensorNames, lookup, { shapes, signal, onProgress });
  return { model, layers: source.nodes.length, checked };
}
