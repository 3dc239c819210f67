// Shapes of an operator's outputs, for an operator that is not in a model yet.

import { defined } from '../base/checked.js';
import { fail } from '../base/errors.js';
import type { BuiltinOptions, ElementType, OperatorName } from '../formats/tflite/index.js';
import { elementCount } from '../formats/tflite/index.js';
import { defaultKernelProfile, kernelProfiles } from './arithmetic/profile.js';
import { elementsOf } from './operands.js';
import { operatorFamilies } from './operators/index.js';
import { type ElementArray, type Operand, type OperatorContext, Resources } from './operators/operator.js';

/** A tensor whose elements may be known. */
export interface DescribedTensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** null for a computed tensor. */
  readonly data: ElementArray | null;
  /** Whether it keeps its value between invocations. */
  readonly variable?: boolean;
}

/**
 * @param inputs null for absent optional inputs
 * @param outputTypes element type of each output
 * @returns the shape of each output; null if they depend on values that are unknown before the model runs
 * @throws OPERATOR_INVALID if the inputs do not fit the operator
 */
export function outputShapesOf(
  name: OperatorName,
  inputs: readonly (DescribedTensor | null)[],
  outputTypes: readonly ElementType[],
  options: BuiltinOptions | null,
): readonly (readonly number[])[] | null {
  const family = operatorFamilies.get(name);
  if (family === undefined) throw fail('INTERNAL', { reason: `no operator ${name}` });
  const context: OperatorContext = {
    place: name,
    name: family.name,
    inputs: inputs.map((input, i) => (input === null ? null : operandOf(input, i))),
    outputs: outputTypes.map((type, i) => operandOf({ type, shape: [], data: null }, i)),
    intermediates: [],
    options,
    customOptions: null,
    arithmetic: defined(kernelProfiles[defaultKernelProfile]),
    shared: {
      resources: new Resources(),
      done: new Set(),
      subgraph: (index) => {
        throw fail('INTERNAL', { reason: `no subgraph ${index}` });
      },
    },
  };
  return family.shapes(context);
}

function operandOf({ type, shape, data, variable = false }: DescribedTensor, index: number): Operand {
  const count = elementCount(shape);
  return {
    index,
    label: `${index}`,
    type,
    shape,
    scale: new Float32Array(),
    zeroPoint: new Int32Array(),
    axis: 0,
    constant: data !== null,
    variable,
    count,
    address: null,
    get data() {
      return data ?? elementsOf({ type, count });
    },
  };
}
