// Source formats: trained models in the formats of training frameworks. Each reader turns a file into one neutral graph
// of nodes with the framework's own operators, attributes and weights. No code from a file is ever run.

export type { ForeignKind } from './foreign.js';
export type {
  Attribute,
  Attributes,
  NumericArray,
  SourceFormat,
  SourceGraph,
  SourceInput,
  SourceNode,
  SourceOutput,
  SourceType,
  SourceWeight,
} from './graph.js';
export { beside, decodeSource, readSource } from './read.js';
export type { ReadBeside } from './tfjs/layers.js';
