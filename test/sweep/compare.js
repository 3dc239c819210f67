// Holds the simulator's tensors against those of a reference runtime, operator by operator.

import * as tflite from '../../dist/formats/tflite/index.js';
import { AtollError, Interpreter, readModel, writeModel } from '../../dist/index.js';
import { limitsBroken } from '../../dist/simulator/index.js';
import { documentedReason } from './documented.js';

/** The same as a share of the largest float input, for sums that cancel. */
const roundingTolerance = 1e-6;

/** How far float32 results may lie apart, as a share of the tensor's largest: libraries sum in different orders. */
const floatTolerance = 1e-4;

/**
 * @param {{model: Uint8Array, inputs: Uint8Array[], frames: number}} subject for each input all frames, one after
 * another
 * @param {string} profile kernel profile
 * @param {{tensors?: Map<number, Uint8Array>, error?: string}} answer of the runtime, after the last frame
 * @returns {{verdict: 'same' | 'differs' | 'atoll refuses' | 'runtime refuses' | 'both refuse' | 'not registered' |
 * 'documented', operator?: string, detail?: string, types?: string[], shrunk?: object}}
 */
export function compare({ model: bytes, inputs, frames }, profile, answer) {
  if (answer.error?.includes("Didn't find op for builtin opcode"))
    return { verdict: 'not registered', detail: answer.error };
  const ran = run(bytes, inputs, frames, profile, answer.tensors ?? new Map());
  if (ran.error !== undefined && answer.error !== undefined)
    return { verdict: 'both refuse', detail: `${answer.error}; ${ran.error}` };
  const model = readModel(bytes);
  if (answer.error !== undefined) {
    if (limitsBroken(model, profile).some(({ severity }) => severity === 'refused'))
      return { verdict: 'both refuse', detail: answer.error };
    // What the runtime is documented to compute otherwise may be what it ends on.
    if (hasDocumentedOperator(model, profile)) return { verdict: 'documented', detail: answer.error };
    return {
      verdict: 'runtime refuses',
      operator: refusedOperator(answer.error, model),
      detail: answer.error,
      types: [],
    };
  }
  for (const index of ran.differing) {
    const alone = alsoAlone(model, index, lastFrame(inputs, frames), profile, answer.tensors);
    if (alone !== null) return alone;
  }
  // Checked last: after an earlier difference the simulator may fail on data that the runtime never had.
  if (ran.error !== undefined)
    return { verdict: 'atoll refuses', operator: /operator \d+ (\w+)/.exec(ran.error)?.[1], detail: ran.error };
  return { verdict: 'same' };
}

/** Runs all frames. Returns the operators that differ after the last frame, and the error if the simulator failed. */
function run(bytes, inputs, frames, profile, tensors) {
  const differing = [];
  try {
    const interpreter = new Interpreter(readModel(bytes), { profile });
    interpreter.reset();
    const hook = (index, outputs) => {
      const differs = ({ type, data, index: tensor }) =>
        tensors.has(tensor) && differenceOf(type, bytesOf(data), tensors.get(tensor)) !== null;
      if (outputs.some(differs)) differing.push(index);
    };
    for (let frame = 0; frame < frames; frame++)
      interpreter.stream(
        Buffer.concat(inputs.map((input) => part(input, frame, frames))),
        frame === frames - 1 ? hook : undefined,
      );
    return { differing };
  } catch (error) {
    if (!(error instanceof AtollError) || error.code === 'INTERNAL') throw error;
    return { error: error.message, differing };
  }
}

const part = (bytes, frame, frames) =>
  bytes.subarray((bytes.length / frames) * frame, (bytes.length / frames) * (frame + 1));
const lastFrame = (inputs, frames) => inputs.map((input) => part(input, frames - 1, frames));

function hasDocumentedOperator(model, profile) {
  const { operators, tensors } = model.subgraphs[0];
  return operators.some((operator) => {
    const types = Array.from(operator.outputs, (output) => tflite.elementTypeOf(tensors[output]));
    return (
      documentedReason(
        { verdict: 'differs', operator: tflite.operatorName(model, operator), types, detail: '' },
        profile,
      ) !== null
    );
  });
}

function refusedOperator(error, model) {
  const operators = model.subgraphs[0].operators;
  if (operators.length === 1) return tflite.operatorName(model, operators[0]);
  return /Node (?:number \d+ \()?(\w+)\)? (?:\(number \d+f?\) )?failed/.exec(error)?.[1] ?? 'unknown';
}

/**
 * Runs the operator alone on the runtime's inputs. Null if it is equal there: then only float rounding from earlier
 * operators has grown.
 */
function alsoAlone(model, index, inputs, profile, tensors) {
  const { operators, tensors: all } = model.subgraphs[0];
  const operator = operators[index];
  const name = tflite.operatorName(model, operator);
  // The value of a variable before the last frame is unknown.
  const stateful =
    Array.from(operator.inputs).some((input) => input >= 0 && all[input].isVariable) ||
    /VARIABLE|^WHILE$|^IF$/.test(name);
  const shrunk = stateful ? undefined : oneOperator(model, operator, inputs, tensors);
  const found = shrunk === undefined ? 'its state, or what it calls, differs' : runShrunk(shrunk, profile);
  if (found === null) return null;
  const detail =
    shrunk !== undefined && quantizesNaN(model, operator, shrunk)
      ? `${found}; it quantizes inputs that hold NaN`
      : found;
  const stated = limitsBroken(model, profile).find(
    ({ severity, place }) => severity === 'wrong' && place.startsWith(`operator ${index} `),
  );
  if (stated !== undefined) return { verdict: 'documented', detail: stated.reason };
  const types = [...new Set(Array.from(operator.outputs, (output) => tflite.elementTypeOf(all[output])))];
  return { verdict: 'differs', operator: name, detail, types, shrunk };
}

/** True for dynamic-range operators, which quantize their float inputs, if an input holds NaN or infinity. */
function quantizesNaN(model, { inputs }, shrunk) {
  const { tensors } = model.subgraphs[0];
  if (tflite.elementTypeOf(tensors[inputs[0]]) !== 'float32') return false;
  const hybrid = Array.from(inputs).some(
    (index) => index >= 0 && tflite.elementTypeOf(tensors[index]) === 'int8' && isConstant(model, tensors[index]),
  );
  return hybrid && shrunk.inputs.some((bytes) => floatsOf(bytes).some((value) => !Number.isFinite(value)));
}

const floatsOf = (bytes) => new Float32Array(Uint8Array.from(bytes).buffer, 0, bytes.length >> 2);

const bytesOf = (data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/**
 * @param {Uint8Array[]} inputs float operands of the operator; their sums may cancel, so that rounding is large
 *   compared with the result
 * @returns {string | null} the difference, in words
 */
function differenceOf(type, actual, expected, inputs = []) {
  if (actual.byteLength !== expected.byteLength) return `${actual.byteLength} bytes, not ${expected.byteLength}`;
  if (Buffer.compare(actual, expected) === 0) return null;
  const view =
    { float32: Float32Array, int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array }[type] ??
    Uint8Array;
  const [a, b] = [actual, expected].map((bytes) => new view(Uint8Array.from(bytes).buffer));
  const maxOf = (values) =>
    values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
  const allowed =
    type === 'float32'
      ? floatTolerance * maxOf(b) + roundingTolerance * Math.max(0, ...inputs.map((bytes) => maxOf(floatsOf(bytes))))
      : 0;
  const differs = (i) =>
    a[i] !== b[i] &&
    !(Number.isNaN(a[i]) && Number.isNaN(b[i])) &&
    !(type === 'float32' && Math.abs(a[i] - b[i]) <= allowed);
  const at = Array.from(a.keys()).filter(differs);
  if (at.length === 0) return null;
  return `${at.length} of ${a.length} elements of ${type}, first at ${at[0]}: ${a[at[0]]}, not ${b[at[0]]}`;
}

/** A model of this operator alone, fed with what it read in the runtime. */
function oneOperator(model, operator, inputs, tensors) {
  const whole = model.subgraphs[0];
  const fed = [
    ...new Set(Array.from(operator.inputs).filter((index) => index >= 0 && !isConstant(model, whole.tensors[index]))),
  ];
  const graph = tflite.create(tflite.schema.SubGraph, {
    ...whole,
    operators: [operator],
    inputs: Int32Array.from(fed),
    outputs: operator.outputs,
  });
  const fedWith = (index) => {
    const position = Array.from(whole.inputs).indexOf(index);
    return position >= 0 ? inputs[position] : tensors.get(index);
  };
  return {
    model: writeModel({ ...model, subgraphs: [graph] }),
    inputs: fed.map(fedWith),
    outputs: Array.from(operator.outputs, (index) => tensors.get(index)),
  };
}

const isConstant = (model, tensor) => (model.buffers[tensor.buffer]?.data?.byteLength ?? 0) > 0;

function runShrunk({ model, inputs, outputs }, profile) {
  const interpreter = new Interpreter(readModel(model), { profile });
  const all = interpreter.run(Buffer.concat(inputs));
  let at = 0;
  for (const [i, { type, bytes }] of interpreter.outputs.entries()) {
    const floats = interpreter.inputs.flatMap((input, k) => (input.type === 'float32' ? [inputs[k]] : []));
    const difference = differenceOf(type, all.subarray(at, at + bytes), outputs[i], floats);
    if (difference !== null) return difference;
    at += bytes;
  }
  return null;
}
