import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { defined } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { describeFaults, parseYaml, readText, type YamlFault, type YamlSource } from '../base/files/index.js';
import { nearestText } from '../base/nearest.js';
import { tflmTypes } from '../simulator/index.js';
import { extendTarget, isPlain } from './extend.js';
import { type LinkedSizes, linkedSizesSchema, type OperatorSet, operatorSetSchema, type TargetFile } from './schema.js';
import { targetSchema } from './validate.js';

/** A validated target file, with its operator set and the sizes of the runtime that it links. */
export interface Target extends TargetFile {
  readonly operators: OperatorSet;
  /** null if they have not been measured. */
  readonly linked: LinkedSizes | null;
}

const shippedFolder = fileURLToPath(new URL('../../targets/', import.meta.url));

/** Ids of the targets that the package ships, in alphabetical order. */
export async function shippedTargets(): Promise<string[]> {
  const files = await readdir(shippedFolder);
  return files
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.basename(file, '.yaml'))
    .sort();
}

/**
 * Loads a target by its id, or from a target file.
 * @param target id of a shipped target, or path of a .yaml file
 * @throws TARGET_UNKNOWN, TARGET_INVALID, FILE_NOT_READABLE
 */
export async function loadTarget(target: string): Promise<Target> {
  if (/\.ya?ml$/.test(target)) return readTarget(target);
  const known = await shippedTargets();
  if (!known.includes(target)) throw fail('TARGET_UNKNOWN', { target, nearest: nearestText(target, known) });
  return (await builtTargets()).get(target) ?? readTarget(path.join(shippedFolder, `${target}.yaml`));
}

/** All shipped targets, in alphabetical order. */
export async function loadShippedTargets(): Promise<Target[]> {
  return Promise.all((await shippedTargets()).map(loadTarget));
}

let built: Promise<ReadonlyMap<string, Target>> | null = null;

interface BuiltTargets {
  readonly operatorSets: Readonly<Record<string, OperatorSet>>;
  readonly linkedSizes: readonly LinkedSizes[];
  readonly targets: readonly TargetFile[];
}

/** The shipped files as prepared by the build (scripts/build-targets.js); empty if the sources run without a build. */
function builtTargets(): Promise<ReadonlyMap<string, Target>> {
  built ??= readFile(new URL('shipped.json', import.meta.url), 'utf8').then(
    (text) => {
      const { operatorSets: sets, linkedSizes: sizes, targets } = JSON.parse(text) as BuiltTargets;
      return new Map(
        targets.map((target) => [
          target.id,
          { ...target, operators: defined(sets[target.operatorSet]), linked: linkedOf(target, sizes) },
        ]),
      );
    },
    () => new Map(),
  );
  return built;
}

async function readTarget(file: string): Promise<Target> {
  const { value, faults } = await parseTarget(file);
  if (value === null) throw fail('TARGET_INVALID', describeFaults(file, faults));
  return {
    ...value,
    operators: await loadOperatorSet(value.operatorSet),
    linked: linkedOf(value, await loadLinkedSizes()),
  };
}

/**
 * All errors of a target file, with their lines; empty if it is valid.
 * @throws FILE_NOT_READABLE
 */
export async function targetFaults(file: string): Promise<readonly YamlFault[]> {
  return (await parseTarget(file)).faults;
}

/** The file, merged with the shipped target that it extends, if any. */
async function parseTarget(file: string): Promise<YamlSource<TargetFile>> {
  const text = await readText(file);
  const { value: plain, faults } = parseYaml(
    text,
    z.looseObject({ extends: z.string({ error: 'must be the id of a shipped target' }).optional() }),
  );
  if (plain === null && faults.some(({ path: at }) => at === 'extends')) return { value: null, faults };
  if (plain?.extends === undefined) return parseYaml(text, targetSchema);
  const { extends: id } = plain;
  const known = await shippedTargets();
  if (!known.includes(id)) {
    const missing = z.looseObject({
      extends: z.string().refine(() => false, { error: `no target named ${id}${nearestText(id, known)}` }),
    });
    return parseYaml(text, missing) as YamlSource<TargetFile>;
  }
  const base = await readValid(path.join(shippedFolder, `${id}.yaml`), z.looseObject({}));
  return parseYaml(
    text,
    z.preprocess((own) => (isPlain(own) ? extendTarget(base, own) : own), targetSchema),
  );
}

const operatorSets = new Map<string, Promise<OperatorSet>>();

/** Most targets share an operator set: it is read once. */
export function loadOperatorSet(id: TargetFile['operatorSet']): Promise<OperatorSet> {
  const known =
    operatorSets.get(id) ??
    (id === 'edgetpu' ? readValid(path.join(shippedFolder, 'operators/edgetpu.yaml'), operatorSetSchema) : ofTflm());
  operatorSets.set(id, known);
  return known;
}

/** The simulator uses the same table. */
const ofTflm = async (): Promise<OperatorSet> =>
  operatorSetSchema.parse({ id: 'tflite-micro', source: 'tensorflow/tflite-micro at 90b983c2', operators: tflmTypes });

let linkedSizes: Promise<LinkedSizes[]> | null = null;

/** Sizes of every measured build. */
export function loadLinkedSizes(): Promise<LinkedSizes[]> {
  linkedSizes ??= readValid(path.join(shippedFolder, 'flash/tflite-micro.yaml'), linkedSizesSchema);
  return linkedSizes;
}

/** Builds are measured for one core; cores with the same instructions use it too. */
const builtFor: Readonly<Record<string, string>> = { none: 'Cortex-M0+', dsp: 'Cortex-M4', mve: 'Cortex-M55' };

function linkedOf({ core, runtime }: TargetFile, sizes: readonly LinkedSizes[]): LinkedSizes | null {
  return sizes.find((one) => one.kernels === runtime.kernels && one.core === builtFor[core?.simd ?? '']) ?? null;
}

async function readValid<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const { value, faults } = parseYaml(await readText(file), schema);
  if (value !== null) return value;
  throw fail('TARGET_INVALID', describeFaults(file, faults));
}
