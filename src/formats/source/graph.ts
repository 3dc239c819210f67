// The neutral graph that every reader of a source format returns: nodes in execution order, with the names, operators
// and attributes of the framework that wrote them. It says what the file says; `optimize/convert` gives it a meaning.

/** A format in which frameworks store trained models. */
export type SourceFormat = 'keras' | 'tfjs-layers';

/** Element types of source models, named as in NumPy. */
export type SourceType =
  | 'float32'
  | 'float16'
  | 'float64'
  | 'bfloat16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool';

/** Elements of a tensor. */
export type NumericArray =
  | Float32Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Trained values. They are read from the file when asked for, so that a large model is not in memory twice. */
export interface SourceWeight {
  /** Name in the file, for messages. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: SourceType;
  /** Elements in row-major order, of float types as float32. */
  readonly values: () => NumericArray;
}

/** Plain data, as JSON has it. */
export type Attribute =
  | null
  | boolean
  | number
  | string
  | readonly Attribute[]
  | { readonly [name: string]: Attribute };

/** Configuration of a node, by name. */
export type Attributes = Readonly<Record<string, Attribute>>;

/** An input of the model. */
export interface SourceInput {
  /** Name of the value, unique in the graph. */
  readonly value: string;
  /** Name that the user gave. */
  readonly name: string;
  readonly type: SourceType;
  /** null for dimensions that the file leaves open; the whole shape is null where even the rank is unknown. */
  readonly shape: readonly (number | null)[] | null;
}

/** An output of the model. */
export interface SourceOutput {
  readonly value: string;
  readonly name: string;
}

/** One call of a layer or operator. */
export interface SourceNode {
  /** The layer as the user knows it, with the models that contain it: `backbone/block_1/conv`. */
  readonly path: string;
  /** Class of the layer, or type of the operator. */
  readonly operator: string;
  /** Names of values. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
  /** In the order in which the framework lists them. */
  readonly weights: readonly SourceWeight[];
}

/** A trained model in terms of its framework. */
export interface SourceGraph {
  readonly format: SourceFormat;
  /** Framework and version that wrote the file, for example `Keras 3.15.1`; null if the file does not say. */
  readonly producer: string | null;
  readonly name: string;
  readonly inputs: readonly SourceInput[];
  readonly outputs: readonly SourceOutput[];
  /** In execution order. */
  readonly nodes: readonly SourceNode[];
}
