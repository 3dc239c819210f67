// Flatbuffers with schemas as data: one description of a table gives its type, its verifying reader and its writer.

export {
  blobs,
  child,
  create,
  type Field,
  type Infer,
  type InferUnion,
  scalar,
  scalarBytes,
  structs,
  type TableType,
  table,
  tables,
  text,
  union,
  unionOf,
  vector,
} from './fields.js';
export { FlexMap } from './flexbuffer.js';
export { readTable, unknownFields } from './read.js';
export { VerifiedBuffer } from './verified-buffer.js';
export { writeTable } from './write.js';
