// The package that edgetpu_compiler stores in a custom operator: nested flatbuffers, read as in libedgetpu's
// package_registry.cc.

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
  /** Everything except the executables. */
  readonly fields: Omit<PackageFields, 'multiExecutable'>;
  readonly executables: readonly PackedExecutable[];
}

export interface PackedExecutable {
  readonly fields: ExecutableFields;
  /** Name of the file, for messages. */
  readonly fileBytes: number;
}

/** @param where name of the file, for messages. @throws EDGETPU_PACKAGE_INVALID */
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
 * Encodes the package with every field kept; nested files and parameters start at page boundaries.
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

/** Large enough: a builder that grows copies its content. */
function builderFor(bytes: number): Builder {
  return new Builder(2 * bytes + 65536);
}

/** An error in a flatbuffer of the package is an error of the package. */
function explaining<Result>(where: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AtollError && error.code === 'TFLITE_DAMAGED')) throw error;
    throw fail('EDGETPU_PACKAGE_INVALID', { where, reason: error.message }, error);
  }
}
