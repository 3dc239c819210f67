// A compiled model as printable data: everything except the bytes of instructions and parameters.

import type { CompiledModel } from './compiled.js';
import type { AddressField, DataTransfer, Executable, Place } from './executable.js';
import type { Layer } from './layer.js';

/** What one step transfers. */
export interface TransferDescription {
  readonly what: 'instructions' | 'interrupt' | 'fence' | Place['of'];
  readonly to?: 'device' | 'host';
  /** The instruction chunk, the layer, or the interrupt. */
  readonly index?: number;
  readonly offset?: number;
  /** Number of bytes. */
  readonly bytes?: number;
}

/** The layout of an input or output, as plain data. */
export type LayerDescription = Omit<Layer, 'runs' | 'elementBytes'> & { readonly pieces: number };

/** An executable as plain data. */
export interface ExecutableDescription
  extends Omit<
    Executable,
    'parameterCachingToken' | 'instructions' | 'parameters' | 'transfers' | 'inputs' | 'outputs'
  > {
  /** In hexadecimal. */
  readonly parameterCachingToken: string;
  readonly parameterBytes: number;
  readonly instructionBytes: number;
  readonly instructions: readonly {
    readonly bytes: number;
    readonly addresses: readonly {
      readonly of: Place['of'];
      readonly layer?: number;
      readonly half: AddressField['half'];
      readonly bit: number;
    }[];
  }[];
  readonly transfers: readonly TransferDescription[];
  readonly inputs: readonly LayerDescription[];
  readonly outputs: readonly LayerDescription[];
}

/** A model compiled for the Edge TPU, as plain data. */
export interface CompiledDescription extends Omit<CompiledModel, 'parts'> {
  readonly parts: readonly {
    readonly operator: number;
    readonly minRuntimeVersion: number;
    readonly compilerVersion: string;
    readonly executables: readonly ExecutableDescription[];
  }[];
}

export function describeCompiled({ parts, ...sums }: CompiledModel): CompiledDescription {
  return {
    ...sums,
    parts: parts.map(({ executables, ...part }) => ({ ...part, executables: executables.map(describeExecutable) })),
  };
}

function describeExecutable({
  parameterCachingToken,
  parameters,
  instructions,
  transfers,
  inputs,
  outputs,
  ...rest
}: Executable): ExecutableDescription {
  return {
    ...rest,
    parameterCachingToken: parameterCachingToken.toString(16),
    parameterBytes: parameters.byteLength,
    instructionBytes: instructions.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
    instructions: instructions.map(({ bytes, fields }) => ({
      bytes: bytes.byteLength,
      addresses: fields.map(({ place, half, bit }) => ({ ...place, half, bit })),
    })),
    transfers: transfers.map((transfer) => describeTransfer(transfer, instructions)),
    inputs: inputs.map(describeLayer),
    outputs: outputs.map(describeLayer),
  };
}

function describeTransfer(transfer: DataTransfer, instructions: Executable['instructions']): TransferDescription {
  switch (transfer.what) {
    case 'instructions':
      return {
        what: 'instructions',
        to: 'device',
        index: transfer.chunk,
        bytes: instructions[transfer.chunk]?.bytes.byteLength ?? 0,
      };
    case 'interrupt':
      return { what: 'interrupt', to: 'host', index: transfer.number };
    case 'fence':
      return { what: 'fence' };
    case 'data': {
      const { to, place, offset, bytes } = transfer;
      return { what: place.of, to, ...('layer' in place ? { index: place.layer } : {}), offset, bytes };
    }
  }
}

function describeLayer({ runs, elementBytes: _, ...layer }: Layer): LayerDescription {
  return { ...layer, pieces: runs?.length ?? 1 };
}
