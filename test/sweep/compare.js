// Holds the simulator's tensors against those of a reference runtime, operator by operator.

import { AtollError, Interpreter, limitsBroken, readModel, tflite, writeModel } from 'atoll-agent';

/** How far float32 results may lie apart, as a share of the tensor's largest: libraries sum in different orders. */
const floatTolerance = 2e-5;

/**
 * @param {Uint8Array} bytes the model
 * @param {Uint8Array[]} inputs
 * @param {string} profile kernel profile
 * @param {{tensors?: Map<number, Uint8Array>, error?: string}} answer of the runtime
 * @returns {{verdict: 'same' | 'differs' | 'atoll refuses' | 'runtime refuses' | 'both refuse' | 'not registered' | 'documented', operator?: string, detail?: string, types?: string[], shrunk?: object}}
 */
export function compare(bytes, inputs, profile, answer) {
  if (answer.error?.includes("Didn't find op for builtin opcode")) return { verdict: 'not registered' };
  const model = readModel(bytes);
  let interpreter;
  try {
    interpreter = new Interpreter(model, { profile });
  } catch (error) {
    if (!(error instanceof AtollError) || error.code === 'INTERNAL') throw error;
    if (answer.error !== undefined) return { verdict: 'both refuse', detail: `${answer.error}; ${error.message}` };
    return { verdict: 'atoll refuses', operator: /operator \d+ (\w+)/.exec(error.message)?.[1], detail: error.message };
  }
  if (answer.error !== undefined) {
    if (limitsBroken(model, profile).some(({ severity }) => severity === 'refused')) return { verdict: 'both refuse', detail: answer.error };
    return { verdict: 'runtime refuses', operator: refusedOperator(answer.error, model), detail: answer.error, types: [] };
  }
  return firstDifference(model, interpreter, inputs, profile, answer.tensors);
}

function refusedOperator(error, model) {
  const operators = model.subgraphs[0].operators;
  if (operators.length === 1) return tflite.operatorName(model, operators[0]);
  return /Node (?:number \d+ \()?(\w+)\)? (?:\(number \d+f?\) )?failed/.exec(error)?.[1] ?? 'unknown';
}

function firstDifference(model, interpreter, inputs, profile, tensors) {
  let found = null;
  const sample = Buffer.concat(inputs);
  interpreter.run(sample, (index, outputs) => {
    if (found !== null) return;
    for (const operand of outputs) {
      const expected = tensors.get(operand.index);
      if (expected === undefined) continue;
      const difference = differenceOf(operand.type, bytesOf(operand.data), expected);
      if (difference !== null) {
        found = { index, difference };
        return;
      }
    }
  });
  if (found === null) return { verdict: 'same' };
  const { index } = found;
  const operator = model.subgraphs[0].operators[index];
  const shrunk = oneOperator(model, operator, inputs, tensors);
  const again = runShrunk(shrunk, profile);
  // Alone, on the runtime's own inputs, it is equal: small differences of floats before it have grown.
  if (again === null) return { verdict: 'same' };
  const stated = limitsBroken(model, profile).find(({ severity, place }) => severity === 'wrong' && place.startsWith(`operator ${index} `));
  if (stated !== undefined) return { verdict: 'documented', detail: stated.reason };
  const types = [...new Set(Array.from(operator.outputs, (index) => tflite.elementTypeOf(model.subgraphs[0].tensors[index])))];
  return { verdict: 'differs', operator: tflite.operatorName(model, operator), detail: again, types, shrunk };
}

const bytesOf = (data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** @returns {string | null} what differs, in words */
function differenceOf(type, actual, expected) {
  if (actual.byteLength !== expected.byteLength) return `${actual.byteLength} bytes, not ${expected.byteLength}`;
  if (Buffer.compare(actual, expected) === 0) return null;
  const view = { float32: Float32Array, int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array }[type] ?? Uint8Array;
  const [a, b] = [actual, expected].map((bytes) => new view(Uint8Array.from(bytes).buffer));
  const largest = type === 'float32' ? b.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0) : 0;
  const differs = (i) =>
    a[i] !== b[i] && !(Number.isNaN(a[i]) && Number.isNaN(b[i])) && !(type === 'float32' && Math.abs(a[i] - b[i]) <= floatTolerance * largest);
  const at = Array.from(a.keys()).filter(differs);
  if (at.length === 0) return null;
  return `${at.length} of ${a.length} elements of ${type}, first at ${at[0]}: ${a[at[0]]}, not ${b[at[0]]}`;
}

/** A model of this operator alone, fed with what it read in the runtime. */
function oneOperator(model, operator, inputs, tensors) {
  const whole = model.subgraphs[0];
  const fed = [...new Set(Array.from(operator.inputs).filter((index) => index >= 0 && !isConstant(model, whole.tensors[index])))];
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
    const difference = differenceOf(type, all.subarray(at, at + bytes), outputs[i]);
    if (difference !== null) return difference;
    at += bytes;
  }
  return null;
}
