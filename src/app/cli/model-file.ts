// Reads the model of a verb, with the input shapes that the user asked for.

import type { Command, OptionValues } from '@commander-js/extra-typings';
import { fail } from '../../base/errors.js';
import type { Trailer } from '../../devices/bundle/index.js';
import type { Model } from '../../formats/tflite/index.js';
import { collect } from './options.js';

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

export interface ModelFile {
  readonly bytes: Uint8Array;
  readonly model: Model;
  /** The bundle's manifest; null for a bare model. */
  readonly trailer: Trailer | null;
}

/**
 * Reads a model, or the model in a bundle. @throws FILE_*, TFLITE_*, SLOT_IMAGE_INVALID, USAGE, and what resolveShapes
 * throws
 */
export async function readModelFile(file: string, options: ShapeOptions = {}): Promise<ModelFile> {
  const [{ readBytes }, { readModel, writeModel }, { decodeSlotImage }] = await Promise.all([
    import('../../base/files/index.js'),
    import('../../formats/tflite/index.js'),
    import('../../devices/bundle/index.js'),
  ]);
  const { model: bytes, trailer } = decodeSlotImage(await readBytes(file));
  const model = readModel(bytes, file);
  const shapes = options.shape;
  if (shapes === undefined) return { bytes, model, trailer };
  const { resolveShapes } = await import('../../simulator/index.js');
  const resolved = resolveShapes(model, Object.fromEntries(shapes.map(parseShape)), options.signature);
  return { bytes: writeModel(resolved), model: resolved, trailer };
}

/** `name=1,2,3`; names may contain `=` and `:`, sizes may not. */
function parseShape(text: string): [string, number[]] {
  const [, name, sizes] = /^(.+)=([0-9,x]+)$/.exec(text) ?? [];
  const shape = sizes?.split(/[,x]/).map(Number) ?? [];
  if (name === undefined || shape.length === 0 || shape.some((size) => !Number.isInteger(size) || size < 1)) {
    throw fail('USAGE', { reason: `--shape ${text}: write it as input=1,96,96,3, with sizes of at least 1` });
  }
  return [name, shape];
}
