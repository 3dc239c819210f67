// Flatbuffers schemas as data. One description of a table gives its TypeScript type, its verifying reader and its
// writer, so the three cannot drift apart.

/** Scalar types of the flatbuffers wire format. 64-bit types are bigint in memory. */
export type ScalarType = 'bool' | 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'u64' | 'f32';

interface ScalarValues {
  bool: boolean;
  i8: number;
  u8: number;
  i16: number;
  u16: number;
  i32: number;
  u32: number;
  i64: bigint;
  u64: bigint;
  f32: number;
}

interface VectorValues {
  bool: Uint8Array;
  i8: Int8Array;
  u8: Uint8Array;
  i16: Int16Array;
  u16: Uint16Array;
  i32: Int32Array;
  u32: Uint32Array;
  i64: BigInt64Array;
  u64: BigUint64Array;
  f32: Float32Array;
}

export type TypedArray = VectorValues[ScalarType];

export interface ScalarField<S extends ScalarType = ScalarType> {
  readonly is: 'scalar';
  readonly slot: number;
  readonly type: S;
  readonly default: ScalarValues[S];
}
export interface VectorField<S extends ScalarType = ScalarType> {
  readonly is: 'vector';
  readonly slot: number;
  readonly type: S;
  /** Alignment of the first element in bytes, if larger than its size. */
  readonly align: number;
  /** Elements per entry: more than 1 for structs whose fields all have this type. */
  readonly per: number;
}
/** A list of strings with arbitrary bytes. */
export interface BlobsField {
  readonly is: 'blobs';
  readonly slot: number;
  /** Alignment of each entry in bytes. */
  readonly align: number;
}
export interface TextField {
  readonly is: 'text';
  readonly slot: number;
}
export interface ChildField<T extends TableType = TableType> {
  readonly is: 'child';
  readonly slot: number;
  readonly table: () => T;
}
export interface TablesField<T extends TableType = TableType> {
  readonly is: 'tables';
  readonly slot: number;
  readonly table: () => T;
  /** Runtimes read this list without checking that it is present, so it is written even if empty. */
  readonly required: boolean;
}
export interface UnionField<U extends UnionType = UnionType> {
  readonly is: 'union';
  /** Slot of the type code; the value is in the next slot. */
  readonly slot: number;
  readonly union: U;
}
export type Field = ScalarField | VectorField | BlobsField | TextField | ChildField | TablesField | UnionField;

export interface TableType<N extends string = string, F extends Record<string, Field> = Record<string, Field>> {
  readonly name: N;
  readonly fields: F;
  /** The fields as a list, in the order of their slots. */
  readonly list: readonly (readonly [string, Field])[];
  readonly slotCount: number;
}
export interface UnionType<M extends readonly TableType[] = readonly TableType[]> {
  /** Member i has type code i + 1; code 0 is "none". */
  readonly members: M;
  readonly codeOf: ReadonlyMap<string, number>;
}

type FieldValue<F> =
  F extends ScalarField<infer S>
    ? ScalarValues[S]
    : F extends VectorField<infer S>
      ? VectorValues[S] | null
      : F extends BlobsField
        ? Uint8Array[]
        : F extends TextField
          ? string | null
          : F extends ChildField<infer T>
            ? Infer<T> | null
            : F extends TablesField<infer T>
              ? Infer<T>[]
              : F extends UnionField<infer U>
                ? InferUnion<U> | null
                : never;

/** A table as an object. Absent vectors, strings and tables are null; absent lists of tables are empty. */
export type Infer<T extends TableType> = { -readonly [K in keyof T['fields']]: FieldValue<T['fields'][K]> };

/** A union's value: the member's object with its name as `kind`. */
export type InferUnion<U extends UnionType> = InferMember<U['members'][number]>;
type InferMember<T extends TableType> = T extends TableType ? { readonly kind: T['name'] } & Infer<T> : never;

export function scalar<S extends ScalarType>(type: S, slot: number, value?: ScalarValues[S]): ScalarField<S> {
  const zero = type === 'bool' ? false : type === 'i64' || type === 'u64' ? 0n : 0;
  return { is: 'scalar', slot, type, default: value ?? (zero as ScalarValues[S]) };
}

export function vector<S extends ScalarType>(type: S, slot: number, align = 0): VectorField<S> {
  return { is: 'vector', slot, type, align, per: 1 };
}

/** A list of structs with the given number of fields of one type, as a flat array. */
export function structs<S extends ScalarType>(type: S, slot: number, per: number): VectorField<S> {
  return { is: 'vector', slot, type, align: 0, per };
}

export function blobs(slot: number, align = 4): BlobsField {
  return { is: 'blobs', slot, align };
}

export function text(slot: number): TextField {
  return { is: 'text', slot };
}

export function child<T extends TableType>(slot: number, of: () => T): ChildField<T> {
  return { is: 'child', slot, table: of };
}

export function tables<T extends TableType>(
  slot: number,
  of: () => T,
  presence: 'required' | 'optional' = 'optional',
): TablesField<T> {
  return { is: 'tables', slot, table: of, required: presence === 'required' };
}

export function union<U extends UnionType>(slot: number, of: U): UnionField<U> {
  return { is: 'union', slot, union: of };
}

export function table<N extends string, F extends Record<string, Field>>(name: N, fields: F): TableType<N, F> {
  const list = Object.entries(fields).sort((a, b) => a[1].slot - b[1].slot);
  const last = list.at(-1)?.[1];
  const slotCount = last === undefined ? 0 : last.slot + (last.is === 'union' ? 2 : 1);
  return { name, fields, list, slotCount };
}

export function unionOf<const M extends readonly TableType[]>(members: M): UnionType<M> {
  return { members, codeOf: new Map(members.map((member, i) => [member.name, i + 1])) };
}

/** Creates an object for a table, with the given fields and defaults for the others. */
export function create<T extends TableType>(type: T, values: Partial<Infer<T>> = {}): Infer<T> {
  const out: Record<string, unknown> = {};
  for (const [key, field] of type.list) {
    out[key] = field.is === 'scalar' ? field.default : field.is === 'tables' || field.is === 'blobs' ? [] : null;
  }
  return Object.assign(out, values) as Infer<T>;
}

const elementBytes: Record<ScalarType, number> = {
  bool: 1,
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  i32: 4,
  u32: 4,
  i64: 8,
  u64: 8,
  f32: 4,
};

export function scalarBytes(type: ScalarType): number {
  return elementBytes[type];
}
