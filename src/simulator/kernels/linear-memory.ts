// One block of memory for everything that kernels touch: tensors, packed weights, scratch. First everything is
// reserved, which gives addresses, then `seal` makes the block; it never grows afterwards, so views stay valid.

import { fail } from '../../base/errors.js';
import { type WasmMemory, webAssembly } from './webassembly.js';

/** Addresses are multiples of this. */
const alignment = 16;

/** Below lies what the compiler of the kernels places: constants and messages. */
const firstAddress = 4096;

/** What WebAssembly can address, less a page. */
const maxBytes = 2 ** 32 - 2 ** 16;

const pageBytes = 2 ** 16;

export class LinearMemory {
  private used = firstAddress;
  private scratchBytes = 0;
  private readonly constants: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  private sealed: { readonly buffer: ArrayBuffer; readonly memory: WasmMemory | null } | null = null;
  /** The region that operators share for what lives during one of them only. */
  scratchAt = 0;

  /** Bytes that are all zero at first. @returns their address */
  reserve(bytes: number): number {
    if (this.sealed !== null) throw fail('INTERNAL', { reason: 'memory is reserved after it was made' });
    const at = this.used;
    this.used = Math.ceil((at + bytes) / alignment) * alignment;
    if (this.used > maxBytes) throw fail('TENSOR_TOO_LARGE', { bytes: this.used, limit: maxBytes });
    return at;
  }

  /** A copy of constants. @returns their address */
  place(constants: ArrayBufferView): number {
    const at = this.reserve(constants.byteLength);
    this.constants.push({ at, bytes: new Uint8Array(constants.buffer, constants.byteOffset, constants.byteLength) });
    return at;
  }

  /** Asks for the shared scratch region to be at least so large. */
  needScratch(bytes: number): void {
    this.scratchBytes = Math.max(this.scratchBytes, bytes);
  }

  /** Makes the memory. @param withKernels whether kernels in WebAssembly are to work on it */
  seal(withKernels: boolean): void {
    this.scratchAt = this.reserve(this.scratchBytes);
    const memory = withKernels ? new webAssembly.Memory({ initial: Math.ceil(this.used / pageBytes) }) : null;
    const buffer = memory === null ? new ArrayBuffer(this.used) : memory.buffer;
    const bytes = new Uint8Array(buffer);
    for (const { at, bytes: content } of this.constants) bytes.set(content, at);
    this.constants.length = 0;
    this.sealed = { buffer, memory };
  }

  get buffer(): ArrayBuffer {
    if (this.sealed === null) throw fail('INTERNAL', { reason: 'memory is used before it was made' });
    return this.sealed.buffer;
  }

  get memory(): WasmMemory | null {
    return this.sealed?.memory ?? null;
  }

  /** The end of all that is reserved. */
  get end(): number {
    return this.used;
  }
}
