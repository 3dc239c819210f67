// The result of edgetpu_compiler: the programs inside of each custom operator (libedgetpu, custom_op_data.cc).

import { fail } from '../../base/errors.js';
import { FlexMap } from '../../formats/flatbuffer/index.js';
import { edgeTpuOperators, type Model } from '../../formats/tflite/index.js';
import { type Executable, type ExecutableKind, executableOf } from './executable.js';
import { Limits } from './limits.js';
import { decodePackage } from './package.js';

/** One custom operator. */
export interface CompiledPart {
  /** Index of the custom operator. */
  readonly operator: number;
  /** Required version of libedgetpu. */
  readonly minRuntimeVersion: number;
  readonly compilerVersion: string;
  readonly executables: readonly Executable[];
}

/** A model compiled for the Edge TPU: its custom operators and their executables. */
export interface CompiledModel {
  readonly parts: readonly CompiledPart[];
  /** The highest version that its parts require. */
  readonly minRuntimeVersion: number;
  /** Parameters that stay on the chip, in bytes. */
  readonly cachedParameterBytes: number;
  /** Parameters that are sent for every inference, in bytes. */
  readonly streamedParameterBytes: number;
  /** The compiler's estimate for one inference. */
  readonly estimatedCycles: number;
}

/** Runtime version of libedgetpu's last release (Grouper, api/runtime_version.h). */
export const newestRuntime = 14;

/** null for a model that was not compiled for the Edge TPU. @throws EDGETPU_PACKAGE_INVALID */
export function compiledModelOf(model: Model): CompiledModel | null {
  const limits = new Limits();
  const parts = edgeTpuOperators(model).map(({ index, operator }) =>
    partOf(index, operator.customOptions as Uint8Array | null, limits),
  );
  if (parts.length === 0) return null;
  const executables = parts.flatMap((part) => part.executables);
  const parametersOf = (...kinds: ExecutableKind[]): number =>
    executables.reduce((sum, { kind, parameters }) => sum + (kinds.includes(kind) ? parameters.byteLength : 0), 0);
  return {
    parts,
    minRuntimeVersion: Math.max(...parts.map(({ minRuntimeVersion }) => minRuntimeVersion)),
    cachedParameterBytes: parametersOf('parameter-caching'),
    streamedParameterBytes: parametersOf('execution-only', 'stand-alone'),
    estimatedCycles: executables.reduce(
      (sum, { kind, estimatedCycles }) => sum + (kind === 'parameter-caching' ? 0 : estimatedCycles),
      0,
    ),
  };
}

/** @throws EDGETPU_RUNTIME if the device's libedgetpu is older than the file requires */
export function requireRuntime(
  { minRuntimeVersion }: Pick<CompiledModel, 'minRuntimeVersion'>,
  runtime: number,
  device: string,
): void {
  if (minRuntimeVersion > runtime) throw fail('EDGETPU_RUNTIME', { needed: minRuntimeVersion, device, runtime });
}

/** The package in a custom operator's options. @throws EDGETPU_PACKAGE_INVALID */
export function packageIn(options: Uint8Array | null, where: string): Uint8Array {
  const found = options === null ? null : (FlexMap.in(options)?.bytes('4') ?? null);
  if (found === null) throw fail('EDGETPU_PACKAGE_INVALID', { where, reason: 'its options do not contain a package' });
  return found;
}

function partOf(operator: number, options: Uint8Array | null, limits: Limits): CompiledPart {
  const where = `operator ${operator}`;
  limits.spend('parts', 1, (reason) => fail('EDGETPU_PACKAGE_INVALID', { where, reason }));
  const { fields, executables } = decodePackage(packageIn(options, where), where, limits);
  return {
    operator,
    minRuntimeVersion: fields.minRuntimeVersion,
    compilerVersion: fields.compilerVersion ?? '',
    executables: executables.map((packed, e) => executableOf(packed, `${where}, executable ${e}`, limits)),
  };
}
