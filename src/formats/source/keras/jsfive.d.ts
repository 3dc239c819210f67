// Types of the package jsfive, of which the adapter in hdf5.ts uses this part.

declare module 'jsfive' {
  type Message = ReadonlyMap<string, number>;

  interface DataObjects {
    readonly shape: readonly number[];
    /** NumPy's notation, for example '<f4'; a list for references and texts. */
    readonly dtype: string | readonly unknown[];
    find_msg_type(type: number): readonly Message[];
  }

  class Group {
    readonly keys: readonly string[];
    readonly attrs: Readonly<Record<string, unknown>>;
    get(path: string): Group | Dataset | null;
  }

  class Dataset {
    readonly shape: readonly number[];
    readonly dtype: string | readonly unknown[];
    readonly value: readonly number[];
    readonly _dataobjects: DataObjects;
  }

  class File extends Group {
    constructor(bytes: ArrayBufferLike);
  }
}
