// What edgetpu_compiler made: the package inside of each custom operator (libedgetpu's executable.fbs and custom_op_data.cc).

import { fail } from '../errors.js';
import { edgeTpuOperators, type Model, type TableView, VerifiedBuffer } from '../tflite/index.js';
import { bytesInFlexbufferMap } from './flexbuffer.js';

const executableKinds = ['stand-alone', 'parameter-caching', 'execution-only'] as const;
export type ExecutableKind = (typeof executableKinds)[number];

export interface ExecutableLayer {
  readonly name: string;
  readonly bytes: number;
  readonly shape: readonly [height: number, width: number, channels: number];
}

/** A program for the Edge TPU. */
export interface Executable {
  readonly kind: ExecutableKind;
  /** Of the file. */
  readonly bytes: number;
  /** That it loads, or sends with every inference. */
  readonly parameterBytes: number;
  readonly instructionBytes: number;
  readonly scratchBytes: number;
  readonly batchSize: number;
  readonly chip: string;
  /** As the compiler estimates them; 0 where it says nothing. */
  readonly estimatedCycles: number;
  /** Executables with the same one share what is cached. */
  readonly parameterCachingToken: string;
  readonly inputs: readonly ExecutableLayer[];
  readonly outputs: readonly ExecutableLayer[];
}

/** One custom operator. */
export interface CompiledPart {
  readonly operator: number;
  /** Of libedgetpu. */
  readonly minRuntimeVersion: number;
  readonly compilerVersion: string;
  readonly executables: readonly Executable[];
}

export interface CompiledModel {
  readonly parts: readonly CompiledPart[];
  /** The highest of its parts. */
  readonly minRuntimeVersion: number;
  readonly cachedParameterBytes: number;
  readonly streamedParameterBytes: number;
  readonly estimatedCycles: number;
}

/** Runtime version of libedgetpu's last release (Grouper, api/runtime_version.h). */
export const newestRuntime = 14;

/** null for a model that was not compiled for the Edge TPU. @throws EDGETPU_PACKAGE_INVALID, TFLITE_DAMAGED */
export function compiledModelOf(model: Model): CompiledModel | null {
  const parts = edgeTpuOperators(model).map(({ index, operator }) => partOf(index, operator.customOptions as Uint8Array | null));
  if (parts.length === 0) return null;
  const executables = parts.flatMap((part) => part.executables);
  const parametersOf = (...kinds: ExecutableKind[]): number =>
    executables.reduce((sum, { kind, parameterBytes }) => sum + (kinds.includes(kind) ? parameterBytes : 0), 0);
  return {
    parts,
    minRuntimeVersion: Math.max(...parts.map(({ minRuntimeVersion }) => minRuntimeVersion)),
    cachedParameterBytes: parametersOf('parameter-caching'),
    streamedParameterBytes: parametersOf('execution-only', 'stand-alone'),
    estimatedCycles: executables.reduce((sum, { kind, estimatedCycles }) => sum + (kind === 'parameter-caching' ? 0 : estimatedCycles), 0),
  };
}

/** @throws EDGETPU_RUNTIME where the device's libedgetpu is older than the file needs */
export function requireRuntime({ minRuntimeVersion }: CompiledModel, runtime: number, device: string): void {
  if (minRuntimeVersion > runtime) throw fail('EDGETPU_RUNTIME', { needed: minRuntimeVersion, device, runtime });
}

function partOf(operator: number, options: Uint8Array | null): CompiledPart {
  const where = `operator ${operator}`;
  const packageBytes = options === null ? null : bytesInFlexbufferMap(options, '4');
  if (packageBytes === null) throw fail('EDGETPU_PACKAGE_INVALID', { where, reason: 'its options hold no package' });
  if (String.fromCharCode(...packageBytes.subarray(4, 8)) !== 'DWN1')
    throw fail('EDGETPU_PACKAGE_INVALID', { where, reason: 'its package has no identifier DWN1' });
  const root = new Table(packageBytes, where, 8);
  return {
    operator,
    minRuntimeVersion: root.integer(0),
    compilerVersion: root.text(4),
    executables: new Table(root.bytes(1), `${where}, multi-executable`, 1).listOfBytes(0).map((bytes, e) => executableOf(bytes, `${where}, executable ${e}`)),
  };
}

function executableOf(bytes: Uint8Array, where: string): Executable {
  const table = new Table(bytes, where, 17);
  const kind = executableKinds[table.integer(13, 'i16')];
  if (kind === undefined) throw fail('EDGETPU_PACKAGE_INVALID', { where, reason: `an executable of unknown type ${table.integer(13, 'i16')}` });
  return {
    kind,
    bytes: bytes.byteLength,
    parameterBytes: table.bytes(6).byteLength,
    instructionBytes: table.tables(5, 2).reduce((sum, bitstream) => sum + bitstream.bytes(0).byteLength, 0),
    scratchBytes: table.integer(4),
    batchSize: table.integer(3),
    chip: table.text(10),
    estimatedCycles: table.integer(16, 'i64') || table.integer(11),
    parameterCachingToken: table.big(14).toString(16),
    inputs: table.tables(8, 11).map(layerOf),
    outputs: table.tables(9, 11).map(layerOf),
  };
}

function layerOf(layer: Table): ExecutableLayer {
  return { name: layer.text(0), bytes: layer.integer(1), shape: [layer.integer(2), layer.integer(3), layer.integer(4)] };
}

/** A table of a flatbuffer that is only looked into. */
class Table {
  private readonly buffer: VerifiedBuffer;
  private readonly view: TableView;

  constructor(
    bytes: Uint8Array | VerifiedBuffer,
    private readonly where: string,
    fields: number,
    at?: number,
  ) {
    this.buffer = bytes instanceof VerifiedBuffer ? bytes : new VerifiedBuffer(bytes);
    this.view = this.buffer.table(this.buffer.follow(at ?? 0, where), fields, where);
  }

  integer(slot: number, type: 'i16' | 'i32' | 'i64' = 'i32'): number {
    const at = this.buffer.slot(this.view, slot, type === 'i16' ? 2 : type === 'i32' ? 4 : 8, this.where);
    return at === 0 ? 0 : Number(this.buffer.scalar(type, at));
  }

  big(slot: number): bigint {
    const at = this.buffer.slot(this.view, slot, 8, this.where);
    return at === 0 ? 0n : (this.buffer.scalar('u64', at) as bigint);
  }

  text(slot: number): string {
    const at = this.buffer.slot(this.view, slot, 4, this.where);
    return at === 0 ? '' : this.buffer.string(at, this.where);
  }

  bytes(slot: number): Uint8Array {
    const at = this.buffer.slot(this.view, slot, 4, this.where);
    return at === 0 ? new Uint8Array(0) : (this.buffer.vector('u8', at, this.where) as Uint8Array);
  }

  listOfBytes(slot: number): Uint8Array[] {
    return this.offsets(slot).map((at) => this.buffer.vector('u8', at, this.where) as Uint8Array);
  }

  tables(slot: number, fields: number): Table[] {
    return this.offsets(slot).map((at) => new Table(this.buffer, this.where, fields, at));
  }

  private offsets(slot: number): number[] {
    const at = this.buffer.slot(this.view, slot, 4, this.where);
    return at === 0 ? [] : this.buffer.offsets(at, this.where);
  }
}
