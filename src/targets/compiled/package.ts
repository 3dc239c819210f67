// The package that edgetpu_compiler puts into a custom operator: flatbuffers within a flatbuffer, as libedgetpu's
// package_registry.cc opens them.

import { Builder } from 'flatbuffers';
import { AtollError, fail } from '../../base/errors.js';
import { readTable, VerifiedBuffer, writeTable } from '../../formats/flatbuffer/index.js';
import { Limits } from './limits.js';
import {
  type ExecutableFields,
  ExecutableTable,
  MultiExecutableTable,
  type PackageFields,
  PackageTable,
} from './schema.js';

const identifier = 'DWN1';

export interface EdgeTpuPackage {
  /** All but the executables themselves. */
  readonly fields: Omit<PackageFields, 'multiExecutable'>;
  readonly executables: readonly PackedExecutable[];
}

export interface PackedExecutable {
  readonly fields: ExecutableFields;
  /** Of the file that holds it. */
  readonly fileBytes: number;
}

/** @param where for messages. @throws EDGETPU_PACKAGE_INVALID */
export function decodePackage(bytes: Uint8Array, where: string, limits = new Limits()): EdgeTpuPackage {
  if (String.fromCharCode(...bytes.subarray(4, 8)) !== identifier)
    throw fail('EDGETPU_PACKAGE_INVALID', { where, reason: `its package has no identifier ${identifier}` });
  return explaining(where, () => {
    const { multiExecutable, ...fields } = readTable(new VerifiedBuffer(bytes), PackageTable, 0, 'package');
    const { executables } = readTable(
      new VerifiedBuffer(multiExecutable ?? new Uint8Array(0)),
      MultiExecutableTable,
      0,
      'multi-executable',
    );
    limits.spend('executables', executables.length, (reason) => fail('EDGETPU_PACKAGE_INVALID', { where, reason }));
    return {
      fields,
      executables: executables.map((file, e) => ({
        fields: readTable(new VerifiedBuffer(file), ExecutableTable, 0, `executable ${e}`),
        fileBytes: file.byteLength,
      })),
    };
  });
}

/**
 * The same with every field kept; each nested file starts at a page, and so do the parameters.
 * @throws TFLITE_UNKNOWN_FIELD
 */
export function encodePackage({ fields, executables }: EdgeTpuPackage): Uint8Array {
  const files = executables.map((executable) => {
    const builder = builderFor(executable.fields.parameters?.byteLength ?? 0);
    builder.finish(writeTable(builder, ExecutableTable, executable.fields));
    return builder.asUint8Array();
  });
  const inner = builderFor(files.reduce((sum, file) => sum + file.byteLength, 0));
  inner.finish(writeTable(inner, MultiExecutableTable, { executables: files }));
  const multiExecutable = inner.asUint8Array();
  const outer = builderFor(multiExecutable.byteLength);
  outer.finish(writeTable(outer, PackageTable, { ...fields, multiExecutable }), identifier);
  return outer.asUint8Array();
}

/** Roomy, since a builder that grows copies all that it has. */
function builderFor(bytes: number): Builder {
  return new Builder(2 * bytes + 65536);
}

/** What is wrong with a flatbuffer in the package is wrong with the package. */
function explaining<Result>(where: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AtollError && error.code === 'TFLITE_DAMAGED')) throw error;
    throw fail('EDGETPU_PACKAGE_INVALID', { where, reason: error.message }, error);
  }
}
