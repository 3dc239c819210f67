// One random graph from a seed.

import { RandomGraph } from './graph.js';
import { elementwise } from './operators/elementwise.js';
import { moving } from './operators/moving.js';
import { reducing } from './operators/reducing.js';
import { weights } from './operators/weights.js';
import { randomFrom } from './random.js';

export const operators = { ...weights, ...elementwise, ...moving, ...reducing };

/** Runtimes that a graph is made for: what both compute, or all that one does. */
const audiences = [['tflm', 'tflite'], ['tflm', 'tflite'], ['tflm'], ['tflite']];

/**
 * @param {number} seed
 * @param {{only?: string, maxOperators?: number}} choice `only` makes graphs of one operator
 * @returns the file, what its inputs are fed, and the runtimes that it is made for
 */
export function generate(seed, { only, maxOperators = 30 } = {}) {
  const random = randomFrom(seed);
  const audience = random.pick(audiences);
  const type = random.pick(['int8', 'int8', 'int8', 'int16', 'int16', 'uint8', 'float32']);
  const style = random.pick(['realistic', 'realistic', 'extreme']);
  const weightKind = random.pick(['float32', 'float16', 'int8']);
  // uint8 and dynamic range are TensorFlow's alone.
  const runtimes = type === 'uint8' || (type === 'float32' && weightKind === 'int8') ? ['tflite'] : audience;
  const graph = new RandomGraph(seed ^ 0x5bd1e995, { type, style, weightKind, runtimes });
  const usable = Object.entries(operators).filter(
    ([name, { types }]) =>
      (only === undefined || only === name) && runtimes.every((runtime) => types[runtime].includes(type)),
  );
  if (usable.length === 0) return null;
  const many = usable.filter(([name]) => weights[name] !== undefined);
  const target = only === undefined ? Math.min(maxOperators, random.pick([1, 1, 2, 3, 5, 8, 12, 20, 30])) : 1;
  for (let attempt = 0; attempt < 4 * target && graph.operators.length < target; attempt++) {
    const [, { make }] = random.pick(many.length > 0 && random.chance(0.2) ? many : usable);
    make(graph);
  }
  if (graph.operators.length === 0) return null;
  return {
    ...graph.model(),
    runtimes,
    description: `${type} ${style} ${graph.operators.map(({ op }) => op).join(' ')}`,
  };
}
