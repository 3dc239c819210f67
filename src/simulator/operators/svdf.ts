// SVDF: a filter bank whose outputs are kept for some steps and weighted over time. Inputs: input [batch, depth],
// feature weights [filters, depth], time weights [filters, memory], bias [units], state [batch, filters * memory]
// (variable); filters = units * rank. int8 (state and time weights int8 or int16): TFLM EvalIntegerSvdfReference;
// float32: EvalFloatSvdfReference.

import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, clampFloat, floatLimits, integerLimits } from './activation.js';
import {
  byType,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
} from './operator.js';

interface Svdf {
  readonly input: Operand;
  readonly feature: Operand;
  readonly time: Operand;
  readonly state: Operand;
  readonly bias: Operand | null;
  readonly output: Operand;
  readonly batches: number;
  readonly depth: number;
  readonly filters: number;
  readonly units: number;
  readonly rank: number;
  readonly memory: number;
}

function svdfOf(context: OperatorContext): Svdf {
  const [input, feature, time, state] = [
    inputOf(context, 0),
    inputOf(context, 1),
    inputOf(context, 2),
    inputOf(context, 4),
  ];
  const bias = context.inputs[3] ?? null;
  const output = outputOf(context);
  const { rank } = optionsOf(context, 'SVDFOptions');
  const [batches = 0, depth = 0] = input.shape;
  const [filters = 0, memory = 0] = time.shape;
  const units = filters / rank;
  if (!Number.isInteger(units) || rank < 1 || memory < 1)
    throw invalid(context, `${filters} filters of rank ${rank} and memory ${memory}`);
  if (!state.variable) throw invalid(context, `tensor ${state.label} must be a variable`);
  requireShape(context, input, [batches, depth]);
  requireShape(context, feature, [filters, depth]);
  requireShape(context, state, [batches, filters * memory]);
  if (bias !== null) requireShape(context, bias, [units]);
  return { input, feature, time, state, bias, output, batches, depth, filters, units, rank, memory };
}

type Numbers = Float32Array | Int8Array | Int16Array | Int32Array;

/**
 * One step: `features` converts a filter's dot product to its new state, `sum` folds products, `finish` computes an
 * output from the weighted states.
 */
function step(
  svdf: Svdf,
  inputZero: number,
  stateZero: number,
  sum: (acc: number, product: number) => number,
  features: (dot: number) => number,
  finish: (sum: number) => number,
): () => void {
  const { batches, depth, filters, units, rank, memory } = svdf;
  const [input, feature, time, state, output] = [svdf.input, svdf.feature, svdf.time, svdf.state, svdf.output].map(
    ({ data }) => data as Numbers,
  ) as [Numbers, Numbers, Numbers, Numbers, Numbers];
  const bias = svdf.bias === null ? null : (svdf.bias.data as Numbers);
  return () => {
    state.copyWithin(0, 1);
    for (let b = 0; b < batches; b++) {
      for (let f = 0; f < filters; f++) {
        let dot = 0;
        for (let i = 0; i < depth; i++)
          dot = sum(dot, (feature[f * depth + i] as number) * ((input[b * depth + i] as number) - inputZero));
        state[(b * filters + f + 1) * memory - 1] = features(dot);
      }
      for (let u = 0; u < units; u++) {
        let total = bias === null ? 0 : (bias[u] as number);
        for (let r = 0; r < rank; r++) {
          const f = u * rank + r;
          let weighted = 0;
          for (let m = 0; m < memory; m++) {
            weighted = sum(
              weighted,
              (time[f * memory + m] as number) * ((state[(b * filters + f) * memory + m] as number) - stateZero),
            );
          }
          total = sum(total, weighted);
        }
        output[b * units + u] = finish(total);
      }
    }
  };
}

function prepareInteger(context: OperatorContext): () => void {
  const svdf = svdfOf(context);
  const { input, feature, time, state, bias, output } = svdf;
  requireType(context, feature, 'int8');
  requireType(context, output, 'int8');
  byType(context, state, { int8: true, int16: true });
  requireType(context, time, state.type);
  if (bias !== null) requireType(context, bias, 'int32');
  const [qi, qf, qt, qs, qo] = [input, feature, time, state, output].map((operand) =>
    quantizationOf(context, operand),
  ) as [Q, Q, Q, Q, Q];
  const { fround } = Math;
  const first = quantizeMultiplier(fround(fround(qi.scale * qf.scale) / qs.scale));
  const second = quantizeMultiplier(fround(fround(qs.scale * qt.scale) / qo.scale));
  const [low, high] = integerLimits(state);
  const { requantize } = context.arithmetic;
  return step(
    svdf,
    qi.zeroPoint,
    qs.zeroPoint,
    (acc, product) => (acc + product) | 0,
    (dot) => qs.zeroPoint + clamp(requantize(dot, first.multiplier, first.shift), low, high),
    (sum) => clamp(requantize(sum, second.multiplier, second.shift) + qo.zeroPoint, -128, 127),
  );
}

interface Q {
  readonly scale: number;
  readonly zeroPoint: number;
}

function prepareFloat(context: OperatorContext): () => void {
  const svdf = svdfOf(context);
  for (const operand of [svdf.feature, svdf.time, svdf.state, svdf.output]) requireType(context, operand, 'float32');
  const [low, high] = floatLimits(context, optionsOf(context, 'SVDFOptions').fusedActivationFunction);
  const { fround } = Math;
  return step(
    svdf,
    0,
    0,
    (acc, product) => fround(acc + fround(product)),
    (dot) => dot,
    (sum) => clampFloat(sum, low, high),
  );
}

export const svdf: OperatorFamily = {
  name: 'SVDF',
  types: ['float32', 'int8'],
  shapes: (context) => {
    const { batches, units } = svdfOf(context);
    return [[batches, units]];
  },
  prepare: (context) => byType(context, inputOf(context, 0), { float32: prepareFloat, int8: prepareInteger })(context),
  work: (context) => {
    const { batches, depth, filters, memory } = svdfOf(context);
    return { kind: 'fullyConnected', macs: batches * filters * (depth + memory) };
  },
  memory: (context, { library }) => {
    const { input, batches, filters, units } = svdfOf(context);
    return {
      options: [8, 4],
      persistent: [library === 'reference' ? 36 : 40],
      scratch: [4 * batches * filters, ...(input.type === 'int8' ? [4 * batches * units] : [])],
    };
  },
};
