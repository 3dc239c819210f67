// The part of the WebAssembly global that is used here. Node's type package leaves it to the DOM's types.

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** A compiled module; opaque, and can be sent to a worker. */
export interface WasmModule {
  readonly __module: never;
}

interface Api {
  readonly Memory: new (size: { readonly initial: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: unknown };
  readonly validate: (bytes: Uint8Array) => boolean;
}

export const webAssembly = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;
