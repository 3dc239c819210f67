// Replaces SQUARE(x) by MUL(x, x): MUL has an integer kernel, SQUARE does not.

import { defined } from '../../base/checked.js';
import {
  ActivationFunctionType,
  copyModel,
  mainSubgraph,
  operatorCodeIndex,
  operatorName,
} from '../../formats/tflite/index.js';
import type { GraphPass } from './pass.js';

export const squareToProduct: GraphPass = {
  name: 'square-to-product',
  run: (model) => {
    const copy = copyModel(model);
    const squares = mainSubgraph(copy).operators.filter((operator) => operatorName(copy, operator) === 'SQUARE');
    for (const square of squares) {
      const value = defined(square.inputs?.[0]);
      square.inputs = Int32Array.of(value, value);
      square.builtinOptions = { kind: 'MulOptions', fusedActivationFunction: ActivationFunctionType.NONE };
      square.opcodeIndex = operatorCodeIndex(copy, 'MUL', 1);
    }
    return squares.length === 0 ? { model, changes: 0 } : { model: copy, changes: squares.length };
  },
};
