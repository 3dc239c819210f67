// Executes programs: it knows the programs that it may receive, follows their transfers step by step, and stops at
// anything unexpected.

import { elementAt } from '../../../base/checked.js';
import {
  type DataTransfer,
  type Executable,
  laidOut,
  type Place,
  tensorFrom,
} from '../../../targets/compiled/index.js';
import { Tag } from '../link.js';
import { putWord } from '../linking.js';
import type { LoadedExecutable } from '../program.js';
import type { EmulatedProgram } from './twin.js';

export interface MachineOutlets {
  readonly output: (bytes: Uint8Array) => void;
  readonly interrupt: (number: number) => void;
}

/** The lowest bits of addresses of bus transfers are 0 (beagle_chip_structures.h: minimum_alignment_bytes). */
const alignmentBytes = 8;

interface Execution {
  readonly loaded: LoadedExecutable;
  readonly source: EmulatedProgram;
  step: number;
  readonly inputs: readonly Uint8Array[];
  outputs: readonly Uint8Array[] | null;
}

/** The data does not match the program. */
export class Refusal extends Error {}

export class Machine {
  private execution: Execution | null = null;
  private readonly cached = new Set<LoadedExecutable>();
  private token = 0n;
  /** Milliseconds that the simulator took in place of the chip. */
  computedMs = 0;
  /** Milliseconds that memoized results would have taken. */
  rememberedMs = 0;

  constructor(
    private readonly programs: readonly EmulatedProgram[],
    private readonly outlets: MachineOutlets,
  ) {}

  /** Handles a complete message. @throws Refusal */
  received(tag: number, data: Uint8Array): void {
    const execution = this.execution ?? this.begun(tag, data);
    const transfer = elementAt(execution.loaded.executable.transfers, execution.step);
    if (transfer.what === 'instructions') this.takeInstructions(execution.loaded, transfer.chunk, tag, data);
    else if (transfer.what === 'data') this.takeData(execution, transfer, tag, data);
    execution.step += 1;
    this.execution = execution;
    this.proceed(execution);
  }

  private begun(tag: number, data: Uint8Array): Execution {
    if (tag !== Tag.instructions) throw new Refusal(`data of kind ${tag}, and nothing is executed`);
    for (const source of this.programs) {
      const { main, caching } = source.program;
      for (const loaded of caching === null ? [main] : [caching, main]) {
        const [first] = loaded.executable.transfers;
        if (first?.what !== 'instructions' || !sameInstructions(loaded.executable, first.chunk, data)) continue;
        this.requireCached(loaded, source);
        return {
          loaded,
          source,
          step: 0,
          inputs: loaded.executable.inputs.map(({ paddedBytes }) => new Uint8Array(paddedBytes)),
          outputs: null,
        };
      }
    }
    throw new Refusal(`${data.byteLength} bytes of instructions that belong to no known program`);
  }

  private requireCached({ executable }: LoadedExecutable, { program: { caching } }: EmulatedProgram): void {
    if (executable.kind === 'execution-only' && caching !== null && !this.cached.has(caching))
      throw new Refusal('it uses parameters that are not cached');
  }

  private takeInstructions({ executable }: LoadedExecutable, chunk: number, tag: number, data: Uint8Array): void {
    if (tag !== Tag.instructions || !sameInstructions(executable, chunk, data))
      throw new Refusal(`chunk ${chunk} of its instructions was expected, not ${data.byteLength} bytes of kind ${tag}`);
    for (const { half, bit } of executable.instructions[chunk]?.fields ?? []) {
      if (half === 'lower' && wordAt(data, bit) % alignmentBytes !== 0)
        throw new Refusal(`an address that is not a multiple of ${alignmentBytes}`);
    }
  }

  private takeData(
    { loaded, inputs }: Execution,
    { place, offset, bytes }: Extract<DataTransfer, { what: 'data' }>,
    tag: number,
    data: Uint8Array,
  ): void {
    const wanted = place.of === 'parameters' ? Tag.parameters : Tag.input;
    if (tag !== wanted || data.byteLength !== bytes)
      throw new Refusal(
        `${bytes} bytes of kind ${wanted} (${place.of}) were expected, not ${data.byteLength} of kind ${tag}`,
      );
    if (place.of === 'parameters') {
      if (!Buffer.from(loaded.executable.parameters.subarray(offset, offset + bytes)).equals(data))
        throw new Refusal('parameters that differ from those of the program');
    } else if (place.of === 'input') {
      const input = elementAt(inputs, place.layer);
      input.set(data.subarray(0, Math.max(0, input.byteLength - offset)), offset);
    }
  }

  /** Executes the steps that need no further data. */
  private proceed(execution: Execution): void {
    const { transfers } = execution.loaded.executable;
    for (; execution.step < transfers.length; execution.step++) {
      const transfer = elementAt(transfers, execution.step);
      if (transfer.what === 'instructions' || (transfer.what === 'data' && transfer.to === 'device')) return;
      if (transfer.what === 'interrupt') this.outlets.interrupt(transfer.number);
      if (transfer.what === 'data')
        this.outlets.output(
          this.bytesOut(execution, transfer.place).slice(transfer.offset, transfer.offset + transfer.bytes),
        );
    }
    this.finish(execution);
    this.execution = null;
  }

  private finish({ loaded, source }: Execution): void {
    if (loaded !== source.program.caching) return;
    const { parameterCachingToken: token } = loaded.executable;
    if (token !== this.token) this.cached.clear();
    this.token = token;
    this.cached.add(loaded);
  }

  private bytesOut(execution: Execution, place: Place): Uint8Array {
    const { executable } = execution.loaded;
    if (place.of !== 'output') return new Uint8Array(executable.scratchBytes);
    if (execution.outputs === null) {
      const start = performance.now();
      const { outputs, ms, remembered } = execution.source.compute(
        executable.inputs.map((layer, i) => tensorFrom(layer, elementAt(execution.inputs, i))),
      );
      execution.outputs = executable.outputs.map((layer, i) => laidOut(layer, elementAt(outputs, i)));
      this.computedMs += performance.now() - start;
      if (remembered) this.rememberedMs += ms;
    }
    return elementAt(execution.outputs, place.layer);
  }
}

/** Equal except for the addresses. */
function sameInstructions({ instructions }: Executable, chunk: number, data: Uint8Array): boolean {
  const known = instructions[chunk];
  if (known === undefined || known.bytes.byteLength !== data.byteLength) return false;
  const blank = data.slice();
  for (const { bit } of known.fields) putWord(blank, bit, wordAt(known.bytes, bit));
  return Buffer.from(blank.buffer, blank.byteOffset, blank.byteLength).equals(known.bytes);
}

/** 32 bits from any bit offset. */
function wordAt(bytes: Uint8Array, bit: number): number {
  let word = 0n;
  for (let i = 0; i < 5; i++) word |= BigInt(bytes[(bit >> 3) + i] ?? 0) << BigInt(8 * i);
  return Number((word >> BigInt(bit & 7)) & 0xffffffffn);
}
