// What a compiled model was compiled from: the simulator runs that, to know what a device is to answer.

import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { edgeTpuOperators, type Model } from '../../formats/tflite/index.js';
import type { Context } from './verb.js';

/** What edgetpu_compiler adds to the name of a file. */
const suffix = '_edgetpu';

/** Where it is looked for; the same file for one that is not named as compiled ones are. */
export function besideOf(file: string): string {
  return file.replace(`${suffix}.tflite`, '.tflite');
}

export function uncompiledOption(command: Command): Command {
  return command.option(
    '--uncompiled <file>',
    'of a model compiled for the Edge TPU: the .tflite it was compiled from; the one beside it, without _edgetpu, unless given',
  );
}

/**
 * null for a model that is not compiled, and where its other one is not to be found.
 * @throws EDGETPU_TWIN where they do not belong together
 */
export async function uncompiledOf(
  context: Context,
  file: string,
  model: Model,
  options: Readonly<Record<string, unknown>>,
): Promise<Model | null> {
  if (edgeTpuOperators(model).length === 0) return null;
  const beside = besideOf(file);
  const path = (options.uncompiled as string | undefined) ?? (beside !== file && existsSync(beside) ? beside : null);
  if (path === null) {
    const without =
      options.device === undefined ? 'the bundle has no self-test' : 'outputs are not compared with the simulator';
    context.progress.note(`the uncompiled model is not known: ${without} (--uncompiled names it)`);
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
