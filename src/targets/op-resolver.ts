// The operators that a TFLM application registers for a model: each once, over all subgraphs. If the runtime has a
// registration for one type only, that one, since it links less (micro_mutable_op_resolver.h and the kernels' headers,
// at 90b983c2).

import { fail } from '../base/errors.js';
import { type Model, type Operator, operatorName, type SubGraph, typeName } from '../formats/tflite/index.js';
import type { OperatorSet } from './schema.js';

/** Methods that are not named after the operator. */
const irregular: Readonly<Record<string, string>> = {
  BATCH_MATMUL: 'AddBatchMatMul',
  CUMSUM: 'AddCumSum',
  PADV2: 'AddPadV2',
  UNIDIRECTIONAL_SEQUENCE_LSTM: 'AddUnidirectionalSequenceLSTM',
};

/** Operators that TFLM has and TFLite does not, by their custom code. */
const custom: Readonly<Record<string, string>> = {
  'custom:CIRCULAR_BUFFER': 'AddCircularBuffer',
  'custom:SignalDelay': 'AddDelay',
  'custom:SignalEnergy': 'AddEnergy',
  'custom:SignalFftAutoScale': 'AddFftAutoScale',
  'custom:SignalFilterBank': 'AddFilterBank',
  'custom:SignalFilterBankLog': 'AddFilterBankLog',
  'custom:SignalFilterBankSpectralSubtraction': 'AddFilterBankSpectralSubtraction',
  'custom:SignalFilterBankSquareRoot': 'AddFilterBankSquareRoot',
  'custom:SignalFramer': 'AddFramer',
  'custom:SignalIrfft': 'AddIrfft',
  'custom:SignalOverlapAdd': 'AddOverlapAdd',
  'custom:SignalPCAN': 'AddPCAN',
  'custom:SignalRfft': 'AddRfft',
  'custom:SignalStacker': 'AddStacker',
  'custom:SignalWindow': 'AddWindow',
  'custom:TFLM_DECODE': 'AddDecode',
  'custom:TFLite_Detection_PostProcess': 'AddDetectionPostprocess',
  'custom:ethos-u': 'AddEthosU',
};

/** Types that a kernel can be registered for alone; int4 refers to weights, the others to activations. */
export const typedRegistrations: Readonly<Record<string, readonly string[]>> = {
  ADD: ['int8', 'int16'],
  AVERAGE_POOL_2D: ['int8', 'int16'],
  BATCH_MATMUL: ['int8', 'int16'],
  CONV_2D: ['int8', 'int16', 'int4'],
  DEPTHWISE_CONV_2D: ['int8', 'int16', 'int4'],
  FULLY_CONNECTED: ['int8', 'int16', 'int4'],
  MAXIMUM: ['int8'],
  MAX_POOL_2D: ['int8', 'int16'],
  MINIMUM: ['int8'],
  MUL: ['int8'],
  PAD: ['int8'],
  SOFTMAX: ['int8', 'int16'],
  SVDF: ['int8'],
  TRANSPOSE: ['int8'],
  TRANSPOSE_CONV: ['int8'],
  UNIDIRECTIONAL_SEQUENCE_LSTM: ['int8', 'int16'],
};

/** Headers of registrations that micro_mutable_op_resolver.h does not include. */
export const typedHeaders: Readonly<Record<string, string>> = {
  PAD: 'tensorflow/lite/micro/kernels/pad.h',
  TRANSPOSE: 'tensorflow/lite/micro/kernels/transpose.h',
};

/** `AddDepthwiseConv2D` for DEPTHWISE_CONV_2D. */
export function resolverMethod(op: string): string {
  const words = op
    .split('_')
    .map((word) => `${word.slice(0, 1)}${/^\d/.test(word) ? word.slice(1) : word.slice(1).toLowerCase()}`);
  return irregular[op] ?? custom[op] ?? `Add${words.join('')}`;
}

/** An operator that firmware registers. */
export interface OperatorKind {
  readonly op: string;
  /** Number of operators in the model that use it. */
  readonly count: number;
  /** The only type whose kernel is needed; null if all must be linked. */
  readonly type: string | null;
}

/** An operator of a model, with the name under which TFLM registers it. */
export interface RegisteredOperator extends OperatorKind {
  /** Method of MicroMutableOpResolver. */
  readonly method: string;
  /** Additional header for the registration; null for most. */
  readonly header: string | null;
}

/**
 * In the order of first use.
 * @throws RESOLVER_OPERATORS with every operator that TFLM does not have
 */
export function registeredOperators(model: Model, known: OperatorSet): RegisteredOperator[] {
  const kinds = operatorKinds(model);
  const missing = kinds.filter(({ op }) => !(op in known.operators) && !(op in custom)).map(({ op }) => op);
  if (missing.length > 0) throw fail('RESOLVER_OPERATORS', { count: missing.length, operators: missing.join(', ') });
  return kinds.map((kind) => ({
    ...kind,
    method: resolverMethod(kind.op),
    header: kind.type === null ? null : (typedHeaders[kind.op] ?? null),
  }));
}

/** Operators to register, in the order of first use. */
export function operatorKinds(model: Model): OperatorKind[] {
  const types = new Map<string, string[]>();
  for (const subgraph of model.subgraphs) {
    for (const operator of subgraph.operators) {
      const op = operatorName(model, operator);
      types.set(op, [...(types.get(op) ?? []), kernelTypeOf(op, subgraph, operator)]);
    }
  }
  return [...types].map(([op, used]) => {
    const [first = ''] = used;
    const alone = used.every((type) => type === first) && typedRegistrations[op]?.includes(first);
    return { op, count: used.length, type: alone === true ? first : null };
  });
}

/** Operators with data and weights at these inputs. */
const weighted: Readonly<Record<string, readonly [data: number, weights: number]>> = {
  CONV_2D: [0, 1],
  DEPTHWISE_CONV_2D: [0, 1],
  FULLY_CONNECTED: [0, 1],
  TRANSPOSE_CONV: [2, 1],
};

/**
 * The type of the activations if inputs and outputs agree, or int4 of the weights; empty for mixtures, which only the
 * general kernel runs.
 */
function kernelTypeOf(op: string, { tensors }: SubGraph, { inputs, outputs }: Operator): string {
  const [data, weights] = weighted[op] ?? [0, 0];
  const typeOf = (index: number | undefined): string => {
    const tensor = tensors[index ?? -1];
    return tensor === undefined ? '' : typeName(tensor.type);
  };
  const type = typeOf(inputs?.[data]);
  if (typeOf(outputs?.[0]) !== type) return '';
  return typeOf(inputs?.[weights]) === 'int4' ? 'int4' : type;
}
