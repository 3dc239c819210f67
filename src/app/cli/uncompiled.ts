// Finds the model that a compiled model was made from: the simulator runs that one to compute the expected outputs.

import { existsSync } from 'node:fs';
import type { Command, OptionValues } from '@commander-js/extra-typings';
import { edgeTpuOperators, type Model } from '../../formats/tflite/index.js';
import type { Context } from './verb.js';

/** Suffix that edgetpu_compiler adds to a file name. */
const suffix = '_edgetpu';

/** Expected path of the uncompiled model; the same path if the name has no such suffix. */
export function besideOf(file: string): string {
  return file.replace(`${suffix}.tflite`, '.tflite');
}

export function uncompiledOption<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
) {
  return command.option(
    '--uncompiled <file>',
    'for a model compiled for the Edge TPU: the .tflite file that it was compiled from (default: the file ' +
      'beside it, without _edgetpu)',
  );
}

/**
 * null for a model that is not compiled, or if the uncompiled one does not exist.
 * @throws EDGETPU_TWIN if they do not belong together
 */
export async function uncompiledOf(
  context: Context,
  file: string,
  model: Model,
  options: { readonly uncompiled?: string; readonly device?: string },
): Promise<Model | null> {
  if (edgeTpuOperators(model).length === 0) return null;
  const beside = besideOf(file);
  const path = options.uncompiled ?? (beside !== file && existsSync(beside) ? beside : null);
  if (path === null) {
    const without =
      options.device === undefined ? 'the bundle has no self-test' : 'outputs are not compared with the simulator';
    context.progress.note(`the uncompiled model is unknown: ${without} (name it with --uncompiled)`);
    return null;
  }
  const [{ readBytes }, { readModel }, { requireSameEdges }] = await Promise.all([
    import('../../base/files/index.js'),
    import('../../formats/tflite/index.js'),
    import('../../devices/bundle/index.js'),
  ]);
  const uncompiled = readModel(await readBytes(path), path);
  requireSameEdges(model, uncompiled);
  return uncompiled;
}
