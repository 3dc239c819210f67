// Reads the model of a verb, with the input shapes that the user asked for.

import type { Command, OptionValues } from '@commander-js/extra-typings';
import { fail } from '../../base/errors.js';
import type { LoadedModel } from '../load-model.js';
import { collect } from './options.js';
import type { Context } from './verb.js';

export function shapeOption<Args extends unknown[], Options extends OptionValues>(command: Command<Args, Options>) {
  return command.option(
    '--shape <input=sizes>',
    'shape of an input, for example input=1,96,96,3; the other shapes follow',
    collect,
  );
}

export interface ShapeOptions {
  readonly shape?: readonly string[];
  readonly signature?: string;
}

/**
 * Reads the model of a verb: a `.tflite` file, a bundle, or a source model, which is converted.
 * @throws USAGE, and what loadModel throws
 */
export async function readModelFile(
  { signal, progress }: Context,
  file: string,
  options: ShapeOptions = {},
): Promise<LoadedModel> {
  const { loadModel } = await import('../load-model.js');
  const { shape, signature } = options;
  const shapes = shape === undefined ? undefined : Object.fromEntries(shape.map(parseShape));
  return loadModel(file, { shapes, signature, signal, onProgress: progress.update });
}

/** `name=1,2,3`; names may contain `=` and `:`, sizes may not. */
export function parseShape(text: string): [string, number[]] {
  const [, name, sizes] = /^(.+)=([0-9,x]+)$/.exec(text) ?? [];
  const shape = sizes?.split(/[,x]/).map(Number) ?? [];
  if (name === undefined || shape.length === 0 || shape.some((size) => !Number.isInteger(size) || size < 1)) {
    throw fail('USAGE', { reason: `--shape ${text}: write it as input=1,96,96,3, with sizes of at least 1` });
  }
  return [name, shape];
}
