// The tables of a model. Slot numbers, types and defaults are those of the TFLite schema (version 3d); a union takes
// two slots, one for its type and one for its value.

import { child, scalar, table, tables, text, union, unionOf, vector } from '../../flatbuffer/index.js';
import { BuiltinOptions, BuiltinOptions2 } from './options.js';

export const CustomQuantization = table('CustomQuantization', {
  custom: vector('u8', 0, 16),
});

export const BlockwiseQuantization = table('BlockwiseQuantization', {
  scales: scalar('i32', 0),
  zeroPoints: scalar('i32', 1),
  blockSize: scalar('i32', 2),
});

export const MultiAxisQuantization = table('MultiAxisQuantization', {
  scales: scalar('i32', 0),
  zeroPoints: scalar('i32', 1),
  blockSize: scalar('i32', 2),
  quantizedDimensions: vector('i32', 3),
});

export const QuantizationDetails = unionOf([CustomQuantization, BlockwiseQuantization, MultiAxisQuantization]);

export const QuantizationParameters = table('QuantizationParameters', {
  min: vector('f32', 0),
  max: vector('f32', 1),
  scale: vector('f32', 2),
  zeroPoint: vector('i64', 3),
  details: union(4, QuantizationDetails),
  quantizedDimension: scalar('i32', 6),
});

export const Int32Vector = table('Int32Vector', {
  values: vector('i32', 0),
});

export const Uint16Vector = table('Uint16Vector', {
  values: vector('u16', 0, 4),
});

export const Uint8Vector = table('Uint8Vector', {
  values: vector('u8', 0, 4),
});

export const SparseIndexVector = unionOf([Int32Vector, Uint16Vector, Uint8Vector]);

export const DimensionMetadata = table('DimensionMetadata', {
  format: scalar('i8', 0),
  denseSize: scalar('i32', 1),
  arraySegments: union(2, SparseIndexVector),
  arrayIndices: union(4, SparseIndexVector),
});

export const SparsityParameters = table('SparsityParameters', {
  traversalOrder: vector('i32', 0),
  blockMap: vector('i32', 1),
  dimMetadata: tables(2, () => DimensionMetadata),
});

export const VariantSubType = table('VariantSubType', {
  shape: vector('i32', 0),
  type: scalar('i8', 1),
  hasRank: scalar('bool', 2),
});

export const Tensor = table('Tensor', {
  shape: vector('i32', 0),
  type: scalar('i8', 1),
  buffer: scalar('u32', 2),
  name: text(3),
  quantization: child(4, () => QuantizationParameters),
  isVariable: scalar('bool', 5),
  sparsity: child(6, () => SparsityParameters),
  shapeSignature: vector('i32', 7),
  hasRank: scalar('bool', 8),
  variantTensors: tables(9, () => VariantSubType),
  externalBuffer: scalar('u32', 10),
});

export const OperatorCode = table('OperatorCode', {
  deprecatedBuiltinCode: scalar('i8', 0),
  customCode: text(1),
  version: scalar('i32', 2, 1),
  builtinCode: scalar('i32', 3),
});

export const Operator = table('Operator', {
  opcodeIndex: scalar('u32', 0),
  inputs: vector('i32', 1),
  outputs: vector('i32', 2),
  builtinOptions: union(3, BuiltinOptions),
  customOptions: vector('u8', 5),
  customOptionsFormat: scalar('i8', 6),
  mutatingVariableInputs: vector('bool', 7),
  intermediates: vector('i32', 8),
  largeCustomOptionsOffset: scalar('u64', 9),
  largeCustomOptionsSize: scalar('u64', 10),
  builtinOptions2: union(11, BuiltinOptions2),
  debugMetadataIndex: scalar('i32', 13, -1),
});

export const SubGraph = table('SubGraph', {
  tensors: tables(0, () => Tensor, 'required'),
  inputs: vector('i32', 1),
  outputs: vector('i32', 2),
  operators: tables(3, () => Operator, 'required'),
  name: text(4),
  debugMetadataIndex: scalar('i32', 5, -1),
});

export const Buffer = table('Buffer', {
  data: vector('u8', 0, 16),
  offset: scalar('u64', 1),
  size: scalar('u64', 2),
});

export const ExternalBufferGroup = table('ExternalBufferGroup', {
  name: text(0),
});

export const ExternalBuffer = table('ExternalBuffer', {
  id: scalar('u32', 0),
  group: scalar('u32', 1),
  offset: scalar('u64', 2),
  length: scalar('u64', 3),
  packing: text(4),
});

export const Metadata = table('Metadata', {
  name: text(0),
  buffer: scalar('u32', 1),
});

export const TensorMap = table('TensorMap', {
  name: text(0),
  tensorIndex: scalar('u32', 1),
});

export const SignatureDef = table('SignatureDef', {
  inputs: tables(0, () => TensorMap),
  outputs: tables(1, () => TensorMap),
  signatureKey: text(2),
  deprecatedTag: text(3),
  subgraphIndex: scalar('u32', 4),
});

export const Model = table('Model', {
  version: scalar('u32', 0),
  operatorCodes: tables(1, () => OperatorCode, 'required'),
  subgraphs: tables(2, () => SubGraph, 'required'),
  description: text(3),
  buffers: tables(4, () => Buffer, 'required'),
  metadataBuffer: vector('i32', 5),
  metadata: tables(6, () => Metadata),
  signatureDefs: tables(7, () => SignatureDef),
  externalBufferGroups: tables(8, () => ExternalBufferGroup),
  externalBuffers: tables(9, () => ExternalBuffer),
});
