// The fast kernels: WebAssembly SIMD compiled from assembly/ (AssemblyScript), working on a LinearMemory. All
// parameters are addresses in it, counts, and element values; the sources describe them. On machines without SIMD they
// are not available, and the simulator's plain kernels compute the same bits.

import { readFileSync } from 'node:fs';
import { fail } from '../../base/errors.js';
import { type WasmMemory, type WasmModule, webAssembly } from './webassembly.js';

export { LinearMemory } from './linear-memory.js';

type Kernel = (...numbers: number[]) => void;

export interface Kernels {
  readonly setRegions: Kernel;
  readonly convInt8: Kernel;
  readonly denseInt8: Kernel;
  readonly depthwiseInt8: Kernel;
  readonly convInt16: Kernel;
  readonly denseInt16: Kernel;
  readonly depthwiseInt16: Kernel;
  readonly convFloat: Kernel;
  readonly denseFloat: Kernel;
  readonly depthwiseFloat: Kernel;
  readonly addInt8: Kernel;
  readonly tableOf8: Kernel;
  readonly tableOfPairs8: Kernel;
  readonly flipSigns: Kernel;
  readonly softmaxInt8: Kernel;
  readonly resizeBilinearInt8: Kernel;
  readonly resizeBilinearFloat: Kernel;
  readonly averageInt8: Kernel;
  readonly maxInt8: Kernel;
  readonly averageFloat: Kernel;
  readonly channelSumsInt8: Kernel;
  readonly scanFloats: Kernel;
  readonly smallestFloat: () => number;
  readonly largestFloat: () => number;
  readonly sumOfFloats: () => number;
}

/** `checked` asserts that every access lies in the regions given to `setRegions`. */
export type KernelBuild = 'fast' | 'checked';

const modules = new Map<KernelBuild, WasmModule | null>();

function moduleOf(build: KernelBuild): WasmModule | null {
  let module = modules.get(build);
  if (module === undefined) {
    const file = new URL(`../../../wasm/kernels${build === 'checked' ? '-checked' : ''}.wasm`, import.meta.url);
    const bytes = readFileSync(file);
    module = webAssembly.validate(bytes) ? new webAssembly.Module(bytes) : null;
    modules.set(build, module);
  }
  return module;
}

/** Whether this machine can run the kernels. */
export function hasKernels(build: KernelBuild = 'fast'): boolean {
  return moduleOf(build) !== null;
}

export function kernelsOn(memory: WasmMemory, build: KernelBuild = 'fast'): Kernels {
  const module = moduleOf(build);
  if (module === null) throw fail('INTERNAL', { reason: 'this machine has no WebAssembly SIMD' });
  const abort = (): never => {
    throw fail('INTERNAL', { reason: 'a kernel accessed memory outside its tensors' });
  };
  return new webAssembly.Instance(module, { env: { memory, abort } }).exports as unknown as Kernels;
}
