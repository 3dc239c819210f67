// The option tables of the builtin operators, and the two unions that hold them. Field names, slot numbers, types and
// defaults are those of the TFLite schema (version 3d).

import { scalar, table, text, unionOf, vector } from '../../flatbuffer/index.js';

export const StablehloGatherOptions = table('StablehloGatherOptions', {
  offsetDims: vector('i64', 0),
  collapsedSliceDims: vector('i64', 1),
  startIndexMap: vector('i64', 2),
  indexVectorDim: scalar('i64', 3),
  sliceSizes: vector('i64', 4),
  indicesAreSorted: scalar('bool', 5),
});
export const StablehloTransposeOptions = table('StablehloTransposeOptions', { permutation: vector('i64', 0) });
export const StablehloDotGeneralOptions = table('StablehloDotGeneralOptions', {
  lhsBatchingDimensions: vector('i64', 0),
  rhsBatchingDimensions: vector('i64', 1),
  lhsContractingDimensions: vector('i64', 2),
  rhsContractingDimensions: vector('i64', 3),
  precisionConfig: vector('u32', 4),
});
export const StablehloReduceWindowOptions = table('StablehloReduceWindowOptions', {
  windowDimensions: vector('i64', 0),
  windowStrides: vector('i64', 1),
  baseDilations: vector('i64', 2),
  windowDilations: vector('i64', 3),
  padding: vector('i64', 4),
  bodySubgraphIndex: scalar('i32', 5),
});
export const StablehloWhileOptions = table('StablehloWhileOptions', {
  condSubgraphIndex: scalar('i32', 0),
  bodySubgraphIndex: scalar('i32', 1),
});
export const StablehloSortOptions = table('StablehloSortOptions', {
  dimension: scalar('i64', 0),
  isStable: scalar('bool', 1),
  comparatorSubgraphIndex: scalar('i32', 2),
});
export const StablehloConcatenateOptions = table('StablehloConcatenateOptions', { dimension: scalar('i64', 0) });
export const StablehloBroadcastInDimOptions = table('StablehloBroadcastInDimOptions', {
  broadcastDimensions: vector('i64', 0),
});
export const StablehloCompareOptions = table('StablehloCompareOptions', {
  comparisonDirection: scalar('u32', 0),
  compareType: scalar('u32', 1),
});
export const StablehloDynamicSliceOptions = table('StablehloDynamicSliceOptions', { sliceSizes: vector('i64', 0) });
export const StablehloPadOptions = table('StablehloPadOptions', {
  edgePaddingLow: vector('i64', 0),
  edgePaddingHigh: vector('i64', 1),
  interiorPadding: vector('i64', 2),
});
export const StablehloIotaOptions = table('StablehloIotaOptions', { iotaDimension: scalar('i64', 0) });
export const StablehloCustomCallOptions = table('StablehloCustomCallOptions', {
  callTargetName: text(0),
  hasSideEffect: scalar('bool', 1),
  backendConfig: text(2),
  apiVersion: scalar('i32', 3),
  calledComputations: vector('i32', 4),
  customAttributes: vector('u8', 5),
});
export const StablehloReduceOptions = table('StablehloReduceOptions', {
  dimensions: vector('i64', 0),
  bodySubgraphIndex: scalar('i32', 1),
});
export const StablehloSliceOptions = table('StablehloSliceOptions', {
  startIndices: vector('i64', 0),
  limitIndices: vector('i64', 1),
  strides: vector('i64', 2),
});
export const StablehloConvolutionOptions = table('StablehloConvolutionOptions', {
  windowStrides: vector('i64', 0),
  padding: vector('i64', 1),
  lhsDilation: vector('i64', 2),
  rhsDilation: vector('i64', 3),
  windowReversal: vector('bool', 4),
  inputBatchDimension: scalar('i64', 5),
  inputFeatureDimension: scalar('i64', 6),
  inputSpatialDimensions: vector('i64', 7),
  kernelInputFeatureDimension: scalar('i64', 8),
  kernelOutputFeatureDimension: scalar('i64', 9),
  kernelSpatialDimensions: vector('i64', 10),
  outputBatchDimension: scalar('i64', 11),
  outputFeatureDimension: scalar('i64', 12),
  outputSpatialDimensions: vector('i64', 13),
  featureGroupCount: scalar('i64', 14),
  batchGroupCount: scalar('i64', 15),
  precisionConfig: vector('u32', 16),
});
export const StablehloScatterOptions = table('StablehloScatterOptions', {
  indicesAreSorted: scalar('bool', 0),
  updateWindowDims: vector('i64', 1),
  insertedWindowDims: vector('i64', 2),
  scatterDimsToOperandDims: vector('i64', 3),
  indexVectorDim: scalar('i64', 4),
  uniqueIndices: scalar('bool', 5),
  updateComputationSubgraphIndex: scalar('i32', 6),
});
export const StablehloCaseOptions = table('StablehloCaseOptions', { branchSubgraphIndices: vector('i32', 0) });
export const StablehloRngBitGeneratorOptions = table('StablehloRngBitGeneratorOptions', { algorithm: scalar('i8', 0) });
export const Conv2DOptions = table('Conv2DOptions', {
  padding: scalar('i8', 0),
  strideW: scalar('i32', 1),
  strideH: scalar('i32', 2),
  fusedActivationFunction: scalar('i8', 3),
  dilationWFactor: scalar('i32', 4, 1),
  dilationHFactor: scalar('i32', 5, 1),
  quantizedBiasType: scalar('i8', 6),
});
export const Conv3DOptions = table('Conv3DOptions', {
  padding: scalar('i8', 0),
  strideD: scalar('i32', 1),
  strideW: scalar('i32', 2),
  strideH: scalar('i32', 3),
  fusedActivationFunction: scalar('i8', 4),
  dilationDFactor: scalar('i32', 5, 1),
  dilationWFactor: scalar('i32', 6, 1),
  dilationHFactor: scalar('i32', 7, 1),
});
export const Pool2DOptions = table('Pool2DOptions', {
  padding: scalar('i8', 0),
  strideW: scalar('i32', 1),
  strideH: scalar('i32', 2),
  filterWidth: scalar('i32', 3),
  filterHeight: scalar('i32', 4),
  fusedActivationFunction: scalar('i8', 5),
});
export const DepthwiseConv2DOptions = table('DepthwiseConv2DOptions', {
  padding: scalar('i8', 0),
  strideW: scalar('i32', 1),
  strideH: scalar('i32', 2),
  depthMultiplier: scalar('i32', 3),
  fusedActivationFunction: scalar('i8', 4),
  dilationWFactor: scalar('i32', 5, 1),
  dilationHFactor: scalar('i32', 6, 1),
});
export const ConcatEmbeddingsOptions = table('ConcatEmbeddingsOptions', {
  numChannels: scalar('i32', 0),
  numColumnsPerChannel: vector('i32', 1),
  embeddingDimPerChannel: vector('i32', 2),
});
export const LSHProjectionOptions = table('LSHProjectionOptions', { type: scalar('i8', 0) });
export const SVDFOptions = table('SVDFOptions', {
  rank: scalar('i32', 0),
  fusedActivationFunction: scalar('i8', 1),
  asymmetricQuantizeInputs: scalar('bool', 2),
});
export const RNNOptions = table('RNNOptions', {
  fusedActivationFunction: scalar('i8', 0),
  asymmetricQuantizeInputs: scalar('bool', 1),
});
export const SequenceRNNOptions = table('SequenceRNNOptions', {
  timeMajor: scalar('bool', 0),
  fusedActivationFunction: scalar('i8', 1),
  asymmetricQuantizeInputs: scalar('bool', 2),
});
export const BidirectionalSequenceRNNOptions = table('BidirectionalSequenceRNNOptions', {
  timeMajor: scalar('bool', 0),
  fusedActivationFunction: scalar('i8', 1),
  mergeOutputs: scalar('bool', 2),
  asymmetricQuantizeInputs: scalar('bool', 3),
});
export const FullyConnectedOptions = table('FullyConnectedOptions', {
  fusedActivationFunction: scalar('i8', 0),
  weightsFormat: scalar('i8', 1),
  keepNumDims: scalar('bool', 2),
  asymmetricQuantizeInputs: scalar('bool', 3),
  quantizedBiasType: scalar('i8', 4),
});
export const SoftmaxOptions = table('SoftmaxOptions', { beta: scalar('f32', 0) });
export const ConcatenationOptions = table('ConcatenationOptions', {
  axis: scalar('i32', 0),
  fusedActivationFunction: scalar('i8', 1),
});
export const AddOptions = table('AddOptions', {
  fusedActivationFunction: scalar('i8', 0),
  potScaleInt16: scalar('bool', 1, true),
});
export const MulOptions = table('MulOptions', { fusedActivationFunction: scalar('i8', 0) });
export const L2NormOptions = table('L2NormOptions', { fusedActivationFunction: scalar('i8', 0) });
export const LocalResponseNormalizationOptions = table('LocalResponseNormalizationOptions', {
  radius: scalar('i32', 0),
  bias: scalar('f32', 1),
  alpha: scalar('f32', 2),
  beta: scalar('f32', 3),
});
export const LSTMOptions = table('LSTMOptions', {
  fusedActivationFunction: scalar('i8', 0),
  cellClip: scalar('f32', 1),
  projClip: scalar('f32', 2),
  kernelType: scalar('i8', 3),
  asymmetricQuantizeInputs: scalar('bool', 4),
});
export const UnidirectionalSequenceLSTMOptions = table('UnidirectionalSequenceLSTMOptions', {
  fusedActivationFunction: scalar('i8', 0),
  cellClip: scalar('f32', 1),
  projClip: scalar('f32', 2),
  timeMajor: scalar('bool', 3),
  asymmetricQuantizeInputs: scalar('bool', 4),
  diagonalRecurrentTensors: scalar('bool', 5),
});
export const BidirectionalSequenceLSTMOptions = table('BidirectionalSequenceLSTMOptions', {
  fusedActivationFunction: scalar('i8', 0),
  cellClip: scalar('f32', 1),
  projClip: scalar('f32', 2),
  mergeOutputs: scalar('bool', 3),
  timeMajor: scalar('bool', 4, true),
  asymmetricQuantizeInputs: scalar('bool', 5),
});
export const ResizeBilinearOptions = table('ResizeBilinearOptions', {
  deprecatedNewHeight: scalar('i32', 0),
  deprecatedNewWidth: scalar('i32', 1),
  alignCorners: scalar('bool', 2),
  halfPixelCenters: scalar('bool', 3),
});
export const ResizeNearestNeighborOptions = table('ResizeNearestNeighborOptions', {
  alignCorners: scalar('bool', 0),
  halfPixelCenters: scalar('bool', 1),
});
export const CallOptions = table('CallOptions', { subgraph: scalar('u32', 0) });
export const PadOptions = table('PadOptions', {});
export const PadV2Options = table('PadV2Options', {});
export const ReshapeOptions = table('ReshapeOptions', { newShape: vector('i32', 0) });
export const SpaceToBatchNDOptions = table('SpaceToBatchNDOptions', {});
export const BatchToSpaceNDOptions = table('BatchToSpaceNDOptions', {});
export const SkipGramOptions = table('SkipGramOptions', {
  ngramSize: scalar('i32', 0),
  maxSkipSize: scalar('i32', 1),
  includeAllNgrams: scalar('bool', 2),
});
export const SpaceToDepthOptions = table('SpaceToDepthOptions', { blockSize: scalar('i32', 0) });
export const DepthToSpaceOptions = table('DepthToSpaceOptions', { blockSize: scalar('i32', 0) });
export const SubOptions = table('SubOptions', {
  fusedActivationFunction: scalar('i8', 0),
  potScaleInt16: scalar('bool', 1, true),
});
export const DivOptions = table('DivOptions', { fusedActivationFunction: scalar('i8', 0) });
export const TopKV2Options = table('TopKV2Options', {});
export const EmbeddingLookupSparseOptions = table('EmbeddingLookupSparseOptions', { combiner: scalar('i8', 0) });
export const GatherOptions = table('GatherOptions', { axis: scalar('i32', 0), batchDims: scalar('i32', 1) });
export const TransposeOptions = table('TransposeOptions', {});
export const ExpOptions = table('ExpOptions', {});
export const CosOptions = table('CosOptions', {});
export const ReducerOptions = table('ReducerOptions', { keepDims: scalar('bool', 0) });
export const SqueezeOptions = table('SqueezeOptions', { squeezeDims: vector('i32', 0) });
export const SplitOptions = table('SplitOptions', { numSplits: scalar('i32', 0) });
export const SplitVOptions = table('SplitVOptions', { numSplits: scalar('i32', 0) });
export const StridedSliceOptions = table('StridedSliceOptions', {
  beginMask: scalar('i32', 0),
  endMask: scalar('i32', 1),
  ellipsisMask: scalar('i32', 2),
  newAxisMask: scalar('i32', 3),
  shrinkAxisMask: scalar('i32', 4),
  offset: scalar('bool', 5),
});
export const LogSoftmaxOptions = table('LogSoftmaxOptions', {});
export const CastOptions = table('CastOptions', { inDataType: scalar('i8', 0), outDataType: scalar('i8', 1) });
export const DequantizeOptions = table('DequantizeOptions', {});
export const MaximumMinimumOptions = table('MaximumMinimumOptions', {});
export const TileOptions = table('TileOptions', {});
export const ArgMaxOptions = table('ArgMaxOptions', { outputType: scalar('i8', 0) });
export const ArgMinOptions = table('ArgMinOptions', { outputType: scalar('i8', 0) });
export const GreaterOptions = table('GreaterOptions', {});
export const GreaterEqualOptions = table('GreaterEqualOptions', {});
export const LessOptions = table('LessOptions', {});
export const LessEqualOptions = table('LessEqualOptions', {});
export const NegOptions = table('NegOptions', {});
export const SelectOptions = table('SelectOptions', {});
export const SliceOptions = table('SliceOptions', {});
export const TransposeConvOptions = table('TransposeConvOptions', {
  padding: scalar('i8', 0),
  strideW: scalar('i32', 1),
  strideH: scalar('i32', 2),
  fusedActivationFunction: scalar('i8', 3),
  quantizedBiasType: scalar('i8', 4),
});
export const ExpandDimsOptions = table('ExpandDimsOptions', {});
export const SparseToDenseOptions = table('SparseToDenseOptions', { validateIndices: scalar('bool', 0) });
export const EqualOptions = table('EqualOptions', {});
export const NotEqualOptions = table('NotEqualOptions', {});
export const ShapeOptions = table('ShapeOptions', { outType: scalar('i8', 0) });
export const RankOptions = table('RankOptions', {});
export const PowOptions = table('PowOptions', {});
export const FakeQuantOptions = table('FakeQuantOptions', {
  min: scalar('f32', 0),
  max: scalar('f32', 1),
  numBits: scalar('i32', 2),
  narrowRange: scalar('bool', 3),
});
export const PackOptions = table('PackOptions', { valuesCount: scalar('i32', 0), axis: scalar('i32', 1) });
export const LogicalOrOptions = table('LogicalOrOptions', {});
export const OneHotOptions = table('OneHotOptions', { axis: scalar('i32', 0) });
export const AbsOptions = table('AbsOptions', {});
export const HardSwishOptions = table('HardSwishOptions', {});
export const LogicalAndOptions = table('LogicalAndOptions', {});
export const LogicalNotOptions = table('LogicalNotOptions', {});
export const UnpackOptions = table('UnpackOptions', { num: scalar('i32', 0), axis: scalar('i32', 1) });
export const FloorDivOptions = table('FloorDivOptions', {});
export const SquareOptions = table('SquareOptions', {});
export const ZerosLikeOptions = table('ZerosLikeOptions', {});
export const FillOptions = table('FillOptions', {});
export const FloorModOptions = table('FloorModOptions', {});
export const RangeOptions = table('RangeOptions', {});
export const LeakyReluOptions = table('LeakyReluOptions', { alpha: scalar('f32', 0) });
export const SquaredDifferenceOptions = table('SquaredDifferenceOptions', {});
export const MirrorPadOptions = table('MirrorPadOptions', { mode: scalar('i8', 0) });
export const UniqueOptions = table('UniqueOptions', { idxOutType: scalar('i8', 0, 2) });
export const ReverseV2Options = table('ReverseV2Options', {});
export const AddNOptions = table('AddNOptions', {});
export const GatherNdOptions = table('GatherNdOptions', {});
export const WhereOptions = table('WhereOptions', {});
export const ReverseSequenceOptions = table('ReverseSequenceOptions', {
  seqDim: scalar('i32', 0),
  batchDim: scalar('i32', 1),
});
export const MatrixDiagOptions = table('MatrixDiagOptions', {});
export const QuantizeOptions = table('QuantizeOptions', {});
export const MatrixSetDiagOptions = table('MatrixSetDiagOptions', {});
export const IfOptions = table('IfOptions', {
  thenSubgraphIndex: scalar('i32', 0),
  elseSubgraphIndex: scalar('i32', 1),
});
export const CallOnceOptions = table('CallOnceOptions', { initSubgraphIndex: scalar('i32', 0) });
export const WhileOptions = table('WhileOptions', {
  condSubgraphIndex: scalar('i32', 0),
  bodySubgraphIndex: scalar('i32', 1),
});
export const NonMaxSuppressionV4Options = table('NonMaxSuppressionV4Options', {});
export const NonMaxSuppressionV5Options = table('NonMaxSuppressionV5Options', {});
export const ScatterNdOptions = table('ScatterNdOptions', {});
export const SelectV2Options = table('SelectV2Options', {});
export const DensifyOptions = table('DensifyOptions', {});
export const SegmentSumOptions = table('SegmentSumOptions', {});
export const BatchMatMulOptions = table('BatchMatMulOptions', {
  adjX: scalar('bool', 0),
  adjY: scalar('bool', 1),
  asymmetricQuantizeInputs: scalar('bool', 2),
});
export const CumsumOptions = table('CumsumOptions', { exclusive: scalar('bool', 0), reverse: scalar('bool', 1) });
export const BroadcastToOptions = table('BroadcastToOptions', {});
export const Rfft2dOptions = table('Rfft2dOptions', {});
export const HashtableOptions = table('HashtableOptions', {
  tableId: scalar('i32', 0),
  keyDtype: scalar('i8', 1),
  valueDtype: scalar('i8', 2),
});
export const HashtableFindOptions = table('HashtableFindOptions', {});
export const HashtableImportOptions = table('HashtableImportOptions', {});
export const HashtableSizeOptions = table('HashtableSizeOptions', {});
export const VarHandleOptions = table('VarHandleOptions', { container: text(0), sharedName: text(1) });
export const ReadVariableOptions = table('ReadVariableOptions', {});
export const AssignVariableOptions = table('AssignVariableOptions', {});
export const RandomOptions = table('RandomOptions', { seed: scalar('i64', 0), seed2: scalar('i64', 1) });
export const BucketizeOptions = table('BucketizeOptions', { boundaries: vector('f32', 0) });
export const GeluOptions = table('GeluOptions', { approximate: scalar('bool', 0) });
export const DynamicUpdateSliceOptions = table('DynamicUpdateSliceOptions', {});
export const UnsortedSegmentProdOptions = table('UnsortedSegmentProdOptions', {});
export const UnsortedSegmentMaxOptions = table('UnsortedSegmentMaxOptions', {});
export const UnsortedSegmentSumOptions = table('UnsortedSegmentSumOptions', {});
export const ATan2Options = table('ATan2Options', {});
export const UnsortedSegmentMinOptions = table('UnsortedSegmentMinOptions', {});
export const SignOptions = table('SignOptions', {});
export const BitcastOptions = table('BitcastOptions', {});
export const BitwiseXorOptions = table('BitwiseXorOptions', {});
export const RightShiftOptions = table('RightShiftOptions', {});
export const DilateOptions = table('DilateOptions', {});
export const ReduceWindowOptions = table('ReduceWindowOptions', { reduceFunction: scalar('i32', 0) });
export const StableHLOCompositeOptions = table('StableHLOCompositeOptions', {
  name: text(0),
  decompositionSubgraphIndex: scalar('i32', 1),
  compositeAttributes: vector('u8', 2),
  compositeAttributesFormat: scalar('i8', 3),
  version: scalar('i32', 4),
});
export const StablehloShiftLeftOptions = table('StablehloShiftLeftOptions', {});

export const BuiltinOptions = unionOf([
  Conv2DOptions,
  DepthwiseConv2DOptions,
  ConcatEmbeddingsOptions,
  LSHProjectionOptions,
  Pool2DOptions,
  SVDFOptions,
  RNNOptions,
  FullyConnectedOptions,
  SoftmaxOptions,
  ConcatenationOptions,
  AddOptions,
  L2NormOptions,
  LocalResponseNormalizationOptions,
  LSTMOptions,
  ResizeBilinearOptions,
  CallOptions,
  ReshapeOptions,
  SkipGramOptions,
  SpaceToDepthOptions,
  EmbeddingLookupSparseOptions,
  MulOptions,
  PadOptions,
  GatherOptions,
  BatchToSpaceNDOptions,
  SpaceToBatchNDOptions,
  TransposeOptions,
  ReducerOptions,
  SubOptions,
  DivOptions,
  SqueezeOptions,
  SequenceRNNOptions,
  StridedSliceOptions,
  ExpOptions,
  TopKV2Options,
  SplitOptions,
  LogSoftmaxOptions,
  CastOptions,
  DequantizeOptions,
  MaximumMinimumOptions,
  ArgMaxOptions,
  LessOptions,
  NegOptions,
  PadV2Options,
  GreaterOptions,
  GreaterEqualOptions,
  LessEqualOptions,
  SelectOptions,
  SliceOptions,
  TransposeConvOptions,
  SparseToDenseOptions,
  TileOptions,
  ExpandDimsOptions,
  EqualOptions,
  NotEqualOptions,
  ShapeOptions,
  PowOptions,
  ArgMinOptions,
  FakeQuantOptions,
  PackOptions,
  LogicalOrOptions,
  OneHotOptions,
  LogicalAndOptions,
  LogicalNotOptions,
  UnpackOptions,
  FloorDivOptions,
  SquareOptions,
  ZerosLikeOptions,
  FillOptions,
  BidirectionalSequenceLSTMOptions,
  BidirectionalSequenceRNNOptions,
  UnidirectionalSequenceLSTMOptions,
  FloorModOptions,
  RangeOptions,
  ResizeNearestNeighborOptions,
  LeakyReluOptions,
  SquaredDifferenceOptions,
  MirrorPadOptions,
  AbsOptions,
  SplitVOptions,
  UniqueOptions,
  ReverseV2Options,
  AddNOptions,
  GatherNdOptions,
  CosOptions,
  WhereOptions,
  RankOptions,
  ReverseSequenceOptions,
  MatrixDiagOptions,
  QuantizeOptions,
  MatrixSetDiagOptions,
  HardSwishOptions,
  IfOptions,
  WhileOptions,
  DepthToSpaceOptions,
  NonMaxSuppressionV4Options,
  NonMaxSuppressionV5Options,
  ScatterNdOptions,
  SelectV2Options,
  DensifyOptions,
  SegmentSumOptions,
  BatchMatMulOptions,
  CumsumOptions,
  CallOnceOptions,
  BroadcastToOptions,
  Rfft2dOptions,
  Conv3DOptions,
  HashtableOptions,
  HashtableFindOptions,
  HashtableImportOptions,
  HashtableSizeOptions,
  VarHandleOptions,
  ReadVariableOptions,
  AssignVariableOptions,
  RandomOptions,
  BucketizeOptions,
  GeluOptions,
  DynamicUpdateSliceOptions,
  UnsortedSegmentProdOptions,
  UnsortedSegmentMaxOptions,
  UnsortedSegmentMinOptions,
  UnsortedSegmentSumOptions,
  ATan2Options,
  SignOptions,
  BitcastOptions,
  BitwiseXorOptions,
  RightShiftOptions,
]);

export const BuiltinOptions2 = unionOf([
  StablehloConcatenateOptions,
  StablehloBroadcastInDimOptions,
  StablehloSliceOptions,
  StablehloConvolutionOptions,
  StablehloCustomCallOptions,
  StablehloReduceOptions,
  StablehloScatterOptions,
  StablehloCompareOptions,
  StablehloDynamicSliceOptions,
  StablehloPadOptions,
  StablehloIotaOptions,
  StablehloDotGeneralOptions,
  StablehloReduceWindowOptions,
  StablehloSortOptions,
  StablehloWhileOptions,
  StablehloGatherOptions,
  StablehloTransposeOptions,
  DilateOptions,
  StablehloRngBitGeneratorOptions,
  ReduceWindowOptions,
  StableHLOCompositeOptions,
  StablehloShiftLeftOptions,
  StablehloCaseOptions,
]);
