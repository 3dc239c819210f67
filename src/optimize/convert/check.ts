// Compares a converted model with the source graph on drawn inputs: the reference interpreter computes every node by
// its framework's definition, the simulator runs the model, and every tensor that both have must agree.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import { yieldToEventLoop } from '../../base/event-loop.js';
import type { OnProgress } from '../../base/progress.js';
import { seededRandom } from '../../base/random.js';
import type { SourceGraph } from '../../formats/source/index.js';
import { elementCount, type Model, mainSubgraph, tensorName } from '../../formats/tflite/index.js';
import { bytesOf, elementsOf, Interpreter } from '../../simulator/index.js';
import { type GivenShapes, inputShapes, inputType, majorVersion } from './lower.js';
import { NodeReader } from './node-reader.js';
import type { NdArray } from './reference/arrays.js';
import type { OperatorLookup } from './source-operator.js';

/** Result of the comparison. */
export interface ConversionCheck {
  /** Number of drawn inputs. */
  readonly samples: number;
  /** Number of tensors that were compared. */
  readonly tensors: number;
  /** Largest difference, as a share of the largest magnitude of its tensor. */
  readonly maxError: number;
}

/** Differences up to this share of a tensor's largest magnitude are rounding. */
const maxRelativeError = 1e-3;

/** Inputs of integers are drawn below this: they may be rows of an embedding. */
const integerLimit = 2;

/** @throws CONVERT_DIFFERS with the first differing node */
export async function checkConversion(
  source: SourceGraph,
  model: Model,
  tensorNames: ReadonlyMap<string, string>,
  lookup: OperatorLookup,
  options: {
    readonly shapes?: GivenShapes;
    readonly samples?: number;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: OnProgress | undefined;
  } = {},
): Promise<ConversionCheck> {
  const { shapes = {}, samples = 1, signal, onProgress } = options;
  const random = seededRandom(1);
  let maxError = 0;
  let tensors = 0;
  for (let sample = 0; sample < samples; sample++) {
    const inputs = drawInputs(source, shapes, random);
    const actual = runModel(model, source, inputs);
    const values = new Map(inputs);
    const uses = remainingUses(source);
    let compared = 0;
    for (const [at, node] of source.nodes.entries()) {
      signal?.throwIfAborted();
      onProgress?.({ step: 'check', done: sample * source.nodes.length + at, total: samples * source.nodes.length });
      await yieldToEventLoop();
      const reader = new NodeReader(node, majorVersion(source));
      const from = node.inputs.map((name) => values.get(name)).filter((value) => value !== undefined);
      const results = lookup(node)?.evaluate(reader, from) ?? [];
      for (const [i, name] of node.outputs.entries()) {
        const expected = elementAt(results, i);
        const found = actual.get(tensorNames.get(name) ?? '');
        // Later nodes continue from the model's own values: a saturated layer would amplify rounding of earlier ones.
        values.set(name, found ?? expected);
        if (found === undefined) continue;
        compared += 1;
        const error = relativeError(expected, found);
        maxError = Math.max(maxError, error);
        if (!(error <= maxRelativeError))
          throw fail('CONVERT_DIFFERS', { layer: node.path, operator: node.operator, share: error.toPrecision(2) });
      }
      for (const name of node.inputs) if (release(uses, name)) values.delete(name);
    }
    tensors = compared;
  }
  return { samples, tensors, maxError };
}

/** How many nodes still read each value, so that large results are dropped early. */
function remainingUses(source: SourceGraph): Map<string, number> {
  const uses = new Map<string, number>();
  for (const name of source.nodes.flatMap(({ inputs }) => inputs)) uses.set(name, (uses.get(name) ?? 0) + 1);
  return uses;
}

function release(uses: Map<string, number>, name: string): boolean {
  const left = (uses.get(name) ?? 0) - 1;
  uses.set(name, left);
  return left === 0;
}

function drawInputs(source: SourceGraph, given: GivenShapes, random: () => number): Map<string, NdArray> {
  const shapes = inputShapes(source, given);
  return new Map(
    source.inputs.map((input) => {
      const shape = shapes.get(input.value) ?? [];
      const type = inputType(input);
      const data = elementsOf({ type, count: elementCount(shape) });
      for (let i = 0; i < data.length; i++) {
        if (data instanceof BigInt64Array) data[i] = BigInt(Math.floor(random() * integerLimit));
        else data[i] = type === 'float32' ? 2 * random() - 1 : Math.floor(random() * integerLimit);
      }
      return [input.value, { type, shape, data }];
    }),
  );
}

/** Runs the model and keeps the tensors by name. */
function runModel(model: Model, source: SourceGraph, inputs: ReadonlyMap<string, NdArray>): Map<string, NdArray> {
  const interpreter = new Interpreter(model);
  const subgraph = mainSubgraph(model);
  const found = new Map<string, NdArray>();
  for (const [position, { value }] of source.inputs.entries()) {
    const { data } = inputs.get(value) as NdArray;
    interpreter.setInput(position, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  interpreter.invoke((_, outputs) => {
    for (const operand of outputs) {
      const copy = bytesOf(operand).slice();
      const construct = operand.data.constructor as new (buffer: ArrayBufferLike) => NdArray['data'];
      const data = new construct(copy.buffer);
      found.set(tensorName(subgraph, operand.index), { type: operand.type, shape: operand.shape, data });
    }
  });
  return found;
}

/** Near the end of float32 the order of a sum decides whether it is infinite. */
const overflowsFrom = 1e36;

function overflows(value: number): boolean {
  return !(Math.abs(value) < overflowsFrom);
}

/** Largest difference of two arrays as a share of the largest magnitude; Infinity if shapes differ. */
function relativeError(expected: NdArray, found: NdArray): number {
  if (expected.shape.join() !== found.shape.join()) return Infinity;
  const [a, b] = [expected.data as Float32Array, found.data as Float32Array];
  let [largest, difference] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const [one, other] = [Number(a[i]), Number(b[i])];
    // Where the definition gives no number, minimum and maximum of the model may still give one.
    if (Object.is(one, other) || Number.isNaN(one) || (overflows(one) && overflows(other))) continue;
    largest = Math.max(largest, Math.abs(one));
    // Not a number only in one of them gives NaN, which no limit accepts.
    difference = Math.max(difference, Math.abs(one - other));
  }
  return difference === 0 ? 0 : difference / largest;
}
