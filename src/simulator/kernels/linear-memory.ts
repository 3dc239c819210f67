// One block of memory for everything that kernels access: tensors, packed weights, scratch. First everything is
// reserved, which gives addresses; then `seal` allocates the block. It never grows afterwards, so views stay valid.

import { fail } from '../../base/errors.js';
import { type WasmMemory, webAssembly } from './webassembly.js';

/** Alignment of all addresses. */
const alignment = 16;

/** The kernels' compiler places constants and messages below this address. */
const firstAddress = 4096;

/** WebAssembly's address space, minus one page. */
const maxBytes = 2 ** 32 - 2 ** 16;

const pageBytes = 2 ** 16;

export class LinearMemory {
  private used = firstAddress;
  private scratchBytes = 0;
  private readonly constants: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  private sealed: { readonly buffer: ArrayBuffer; readonly memory: WasmMemory | null } | null = null;
  /** The region that operators share for temporary data. */
  scratchAt = 0;

  /** Reserves bytes that are initially zero. @returns their address */
  reserve(bytes: number): number {
    if (this.sealed !== null) throw fail('INTERNAL', { reason: 'memory was reserved after it had been allocated' });
    const at = this.used;
    this.used = Math.ceil((at + bytes) / alignment) * alignment;
    if (this.used > maxBytes) throw fail('TENSOR_TOO_LARGE', { bytes: this.used, limit: maxBytes });
    return at;
  }

  /** Reserves a copy of constants. @returns its address */
  place(constants: ArrayBufferView): number {
    const at = this.reserve(constants.byteLength);
    this.constants.push({ at, bytes: new Uint8Array(constants.buffer, constants.byteOffset, constants.byteLength) });
    return at;
  }

  /** Requires a minimum size of the shared scratch region. */
  needScratch(bytes: number): void {
    this.scratchBytes = Math.max(this.scratchBytes, bytes);
  }

  /** Allocates the memory. @param withKernels whether WebAssembly kernels will use it */
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
    if (this.sealed === null) throw fail('INTERNAL', { reason: 'memory was used before it was allocated' });
    return this.sealed.buffer;
  }

  get memory(): WasmMemory | null {
    return this.sealed?.memory ?? null;
  }

  /** End of the reserved memory. */
  get end(): number {
    return this.used;
  }
}
