// A verified program for the Edge TPU: its instructions with the addresses that the driver fills in, its parameters,
// and the sequence of transfers.

import { fail } from '../../base/errors.js';
import { type Layer, layerOf } from './layer.js';
import type { Limits } from './limits.js';
import type { PackedExecutable } from './package.js';
import type { MetaFields } from './schema.js';

const kinds = ['stand-alone', 'parameter-caching', 'execution-only'] as const;
/** What an executable is for: all of a model, caching its parameters, or running with cached ones. */
export type ExecutableKind = (typeof kinds)[number];

/** What an address or a transfer refers to. */
export type Place =
  | { readonly of: 'input' | 'output'; readonly layer: number }
  | { readonly of: 'parameters' }
  | { readonly of: 'scratch' };

/** Position of 32 bits in an instruction that hold half of an address. */
export interface AddressField {
  readonly place: Place;
  readonly half: 'lower' | 'upper';
  /** Offset in the chunk, in bits. */
  readonly bit: number;
}

/** A run of instructions, with the fields that hold addresses. */
export interface InstructionChunk {
  readonly bytes: Uint8Array;
  readonly fields: readonly AddressField[];
}

/** One transfer between host and device. */
export type DataTransfer =
  | { readonly what: 'instructions'; readonly chunk: number }
  | {
      readonly what: 'data';
      readonly to: 'device' | 'host';
      readonly place: Place;
      readonly offset: number;
      readonly bytes: number;
    }
  | { readonly what: 'interrupt'; readonly number: number }
  | { readonly what: 'fence' };

/** A program of the Edge TPU, with its parameters and transfers. */
export interface Executable {
  readonly kind: ExecutableKind;
  /** Name of the file, for messages. */
  readonly fileBytes: number;
  readonly name: string;
  readonly chip: string;
  /** Samples of one run. */
  readonly batchSize: number;
  /** Memory of the host that the program needs, in bytes. */
  readonly scratchBytes: number;
  /** Fast memory that each tile of the chip needs, in bytes. */
  readonly narrowMemoryBytesPerTile: number;
  /** Estimates of the compiler; 0 if it gives none. */
  readonly estimatedCycles: number;
  /** Executables with the same token share cached parameters. */
  readonly parameterCachingToken: bigint;
  readonly instructions: readonly InstructionChunk[];
  /** Parameters that it loads, or sends with every inference. */
  readonly parameters: Uint8Array;
  /** In execution order. */
  readonly transfers: readonly DataTransfer[];
  /** Whether `transfers` is complete. */
  readonly deterministic: boolean;
  readonly inputs: readonly Layer[];
  readonly outputs: readonly Layer[];
}

/** Inputs are read slightly beyond their end, within a page (libedgetpu, dma_info_extractor.cc). */
const pageBytes = 4096;
const addressBits = 32;
const maxInterrupts = 4;

/** @param where name of the file, for messages. @throws EDGETPU_PACKAGE_INVALID */
export function executableOf({ fields, fileBytes }: PackedExecutable, where: string, limits: Limits): Executable {
  const invalid = (reason: string): Error => fail('EDGETPU_PACKAGE_INVALID', { where, reason });
  const kind = kinds[fields.type];
  if (kind === undefined) throw invalid(`an executable of unknown type ${fields.type}`);
  if (fields.scratchBytes < 0) throw invalid(`scratch memory of ${fields.scratchBytes} bytes`);
  limits.spend('bytes', fields.scratchBytes, invalid);
  const inputs = fields.inputs.map((layer) => layerOf(layer, 'input', where, limits));
  const outputs = fields.outputs.map((layer) => layerOf(layer, 'output', where, limits));
  const parameters = fields.parameters ?? new Uint8Array(0);
  const placeOf = (meta: MetaFields | null): Place => {
    const description = meta?.description ?? -1;
    if (description === 2) return { of: 'parameters' };
    if (description === 3) return { of: 'scratch' };
    if (description !== 0 && description !== 1) throw invalid(`an address of unknown kind ${description}`);
    if (meta?.batch !== 0) throw invalid(`an address of batch ${meta?.batch}`);
    const of = description === 0 ? 'output' : 'input';
    const layer = (of === 'output' ? outputs : inputs).findIndex(({ name }) => name === (meta.name ?? ''));
    if (layer < 0) throw invalid(`an address of ${of} layer ${JSON.stringify(meta.name)}, which does not exist`);
    return { of, layer };
  };
  const roomOf = (place: Place, to: 'device' | 'host'): number => {
    if (place.of === 'parameters') return to === 'host' ? 0 : parameters.byteLength;
    if (place.of === 'scratch') return fields.scratchBytes;
    const layer = (place.of === 'input' ? inputs : outputs)[place.layer];
    const bytes = layer?.paddedBytes ?? 0;
    if ((place.of === 'input') !== (to === 'device')) return 0;
    return place.of === 'input' ? Math.ceil(bytes / pageBytes) * pageBytes : bytes;
  };
  const instructions = fields.instructions.map(({ bitstream, fieldOffsets }) => {
    const bytes = bitstream ?? new Uint8Array(0);
    if (bytes.byteLength === 0) throw invalid('an empty chunk of instructions');
    limits.spend('bytes', bytes.byteLength, invalid);
    return {
      bytes,
      fields: fieldOffsets.map(({ meta, bit }) => {
        if (bit < 0 || bit + addressBits > 8 * bytes.byteLength)
          throw invalid(`an address at bit ${bit} of ${8 * bytes.byteLength}`);
        return { place: placeOf(meta), half: meta?.position === 1 ? ('upper' as const) : ('lower' as const), bit };
      }),
    };
  });
  const transfers = (fields.dmaHints?.hints ?? []).map(({ hint, direction }): DataTransfer => {
    switch (hint?.kind) {
      case 'InstructionHint':
        if (instructions[hint.chunk] === undefined) throw invalid(`chunk ${hint.chunk} of ${instructions.length}`);
        limits.spend('transferred', instructions[hint.chunk]?.bytes.byteLength ?? 0, invalid);
        return { what: 'instructions', chunk: hint.chunk };
      case 'InterruptHint':
        if (hint.type < 0 || hint.type >= maxInterrupts) throw invalid(`interrupt ${hint.type} of ${maxInterrupts}`);
        return { what: 'interrupt', number: hint.type };
      case 'FenceHint':
        return { what: 'fence' };
      case 'DmaDescriptorHint': {
        const { offset, bytes } = hint;
        const place = placeOf(hint.meta);
        const to = direction === 0 ? 'device' : 'host';
        const room = roomOf(place, to);
        if (offset < 0 || bytes <= 0 || offset + bytes > room)
          throw invalid(`a transfer of ${bytes} bytes from ${offset} on, of ${room} (${place.of})`);
        limits.spend('transferred', bytes, invalid);
        return { what: 'data', to, place, offset, bytes };
      }
      default:
        throw invalid('a transfer of unknown kind');
    }
  });
  return {
    kind,
    fileBytes,
    name: fields.name ?? '',
    chip: fields.chip ?? '',
    batchSize: fields.batchSize,
    scratchBytes: fields.scratchBytes,
    narrowMemoryBytesPerTile: fields.narrowMemoryBytesPerTile,
    estimatedCycles: Number(fields.estimatedCycles) || fields.estimatedCycles32,
    parameterCachingToken: fields.parameterCachingToken,
    instructions,
    parameters,
    transfers,
    deterministic: fields.dmaHints?.fullyDeterministic === true,
    inputs,
    outputs,
  };
}
