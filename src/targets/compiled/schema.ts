// The tables of a compiled package: slots, types and defaults as in libedgetpu's executable.fbs.

import {
  blobs,
  child,
  type Infer,
  scalar,
  structs,
  table,
  tables,
  text,
  union,
  unionOf,
  vector,
} from '../../formats/flatbuffer/index.js';

/** Nested files start at page boundaries, and so do the parameters, which libedgetpu maps in place. */
const pageBytes = 4096;

export const MetaTable = table('Meta', {
  description: scalar('i16', 0),
  batch: scalar('i32', 1),
  name: text(2),
  position: scalar('i16', 3),
});

export const FieldOffsetTable = table('FieldOffset', {
  meta: child(0, () => MetaTable),
  bit: scalar('i32', 1),
});

export const InstructionBitstreamTable = table('InstructionBitstream', {
  bitstream: vector('u8', 0),
  fieldOffsets: tables(1, () => FieldOffsetTable),
});

export const DmaDescriptorHintTable = table('DmaDescriptorHint', {
  meta: child(0, () => MetaTable),
  offset: scalar('i32', 1),
  bytes: scalar('i32', 2),
});

export const InstructionHintTable = table('InstructionHint', { chunk: scalar('i32', 0) });
export const InterruptHintTable = table('InterruptHint', { type: scalar('i16', 0) });
export const FenceHintTable = table('FenceHint', {});

export const DmaHintTable = table('DmaHint', {
  hint: union(0, unionOf([DmaDescriptorHintTable, InstructionHintTable, InterruptHintTable, FenceHintTable])),
  direction: scalar('i16', 2),
});

export const DmaHintsTable = table('DmaHints', {
  hints: tables(0, () => DmaHintTable),
  fullyDeterministic: scalar('bool', 1),
});

export const OutputLayoutTable = table('OutputLayout', {
  yToTile: vector('i32', 0),
  xToTile: vector('i32', 1),
  tileOffsets: vector('i32', 2),
  xToLocalOffset: vector('i32', 3),
  yToLocalRow: vector('i32', 4),
  xToRowBytes: vector('i32', 5),
});

/** A range is a pair of the first and the last index. */
export const TensorShapeTable = table('TensorShape', { ranges: structs('i32', 0, 2) });

export const TensorLayoutTable = table('TensorLayout', {
  shape: child(0, () => TensorShapeTable),
  strides: vector('i32', 1),
});

export const OutputShapeInfoTable = table('OutputShapeInfo', {
  slices: tables(0, () => TensorLayoutTable),
  sliceOffsets: vector('i32', 1),
});

export const NumericsConstantsTable = table('NumericsConstants', {
  zeroPoint: scalar('i32', 0),
  scale: scalar('f32', 1),
});

export const OutputLayerTable = table('OutputLayer', {
  layout: child(0, () => OutputLayoutTable),
  dataType: scalar('i16', 1),
  shapeInfo: child(2, () => OutputShapeInfoTable),
});

export const InputLayerTable = table('InputLayer', {});

export const LayerTable = table('Layer', {
  name: text(0),
  bytes: scalar('i32', 1),
  y: scalar('i32', 2),
  x: scalar('i32', 3),
  z: scalar('i32', 4),
  numerics: child(5, () => NumericsConstantsTable),
  dataType: scalar('i16', 6),
  details: union(7, unionOf([OutputLayerTable, InputLayerTable])),
  executions: scalar('i32', 9, 1),
  cacheOnDram: scalar('bool', 10),
  shape: child(11, () => TensorShapeTable),
});

export const ExecutableTable = table('Executable', {
  version: scalar('i32', 0),
  name: text(1),
  serializedModel: vector('u8', 2),
  batchSize: scalar('i32', 3),
  scratchBytes: scalar('i32', 4),
  instructions: tables(5, () => InstructionBitstreamTable),
  parameters: vector('u8', 6, pageBytes),
  dmaHints: child(7, () => DmaHintsTable),
  inputs: tables(8, () => LayerTable),
  outputs: tables(9, () => LayerTable),
  chip: text(10),
  estimatedCycles32: scalar('i32', 11),
  narrowMemoryBytesPerTile: scalar('i32', 12),
  type: scalar('i16', 13),
  parameterCachingToken: scalar('u64', 14),
  parametersOnDram: scalar('bool', 15),
  estimatedCycles: scalar('i64', 16),
});

export const MultiExecutableTable = table('MultiExecutable', { executables: blobs(0, pageBytes) });

export const SerializedPackageTable = table('SerializedPackage', { content: vector('u8', 0) });

export const PackageTable = table('Package', {
  minRuntimeVersion: scalar('i32', 0),
  multiExecutable: vector('u8', 1, pageBytes),
  signature: vector('u8', 2),
  keypairVersion: scalar('i32', 3),
  compilerVersion: text(4),
  virtualChipId: scalar('i32', 5),
  multiChipPackages: tables(6, () => SerializedPackageTable),
  modelIdentifier: text(7),
});

export type ExecutableFields = Infer<typeof ExecutableTable>;
export type PackageFields = Infer<typeof PackageTable>;
export type LayerFields = Infer<typeof LayerTable>;
export type MetaFields = Infer<typeof MetaTable>;
