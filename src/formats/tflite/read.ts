// Decodes and checks a model. Weights stay views of the file.

import { fail } from '../../base/errors.js';
import { type Infer, readTable, VerifiedBuffer } from '../flatbuffer/index.js';
import { Model } from './schema/model.js';

/**
 * Reads a TFLite model.
 * @param bytes the whole file; vectors of the model are views of it if they are aligned
 * @param where name of the file, for messages
 * @throws TFLITE_NOT_A_MODEL, TFLITE_DAMAGED, TFLITE_INVALID
 */
export function readModel(bytes: Uint8Array, where = 'model'): Infer<typeof Model> {
  if (bytes.byteLength < 8)
    throw fail('TFLITE_NOT_A_MODEL', { where, reason: `it has only ${bytes.byteLength} bytes` });
  const identifier = String.fromCharCode(...bytes.subarray(4, 8));
  if (identifier !== 'TFL3')
    throw fail('TFLITE_NOT_A_MODEL', { where, reason: `its identifier is ${JSON.stringify(identifier)}, not "TFL3"` });
  const buffer = new VerifiedBuffer(bytes);
  const model = readTable(buffer, Model, 0, 'model');
  if (model.version !== 3)
    throw fail('TFLITE_NOT_A_MODEL', { where, reason: `its schema version is ${model.version}, not 3` });
  resolveOutsideBuffers(buffer, model);
  checkReferences(model);
  return model;
}

/** Since schema 3c, buffers and custom options may be stored behind the flatbuffer; they become views. */
function resolveOutsideBuffers(buffer: VerifiedBuffer, model: Infer<typeof Model>): void {
  const outside = (offset: bigint, size: bigint, where: string): Uint8Array => {
    const end = offset + size;
    if (end > BigInt(buffer.bytes.byteLength))
      throw buffer.damaged('data behind the flatbuffer is outside the file', Number(offset), where);
    return buffer.bytes.subarray(Number(offset), Number(end));
  };
  model.buffers.forEach((entry, i) => {
    // 0 and 1 are placeholders that converters write before they know the offset.
    if (entry.offset <= 1n) return;
    entry.data = outside(entry.offset, entry.size, `model.buffers[${i}]`);
    entry.offset = 0n;
    entry.size = 0n;
  });
  model.subgraphs.forEach((subgraph, s) => {
    subgraph.operators.forEach((operator, o) => {
      if (operator.largeCustomOptionsOffset <= 1n) return;
      operator.customOptions = outside(
        operator.largeCustomOptionsOffset,
        operator.largeCustomOptionsSize,
        `model.subgraphs[${s}].operators[${o}]`,
      );
      operator.largeCustomOptionsOffset = 0n;
      operator.largeCustomOptionsSize = 0n;
    });
  });
}

/** Far beyond what any kernel accepts. */
const maxRank = 16;

/** Checks that every index in a model is in range. Only inputs of operators may be optional (-1). */
function checkReferences(model: Infer<typeof Model>): void {
  const invalid = (reason: string, where: string): Error => fail('TFLITE_INVALID', { reason, where });
  if (model.subgraphs.length === 0) throw invalid('it has no subgraph', 'model');
  model.subgraphs.forEach((subgraph, s) => {
    const place = `subgraph ${s}`;
    const count = subgraph.tensors.length;
    const check = (indices: Int32Array | null, what: string, lowest: number): void => {
      for (const index of indices ?? []) {
        if (index < lowest || index >= count) throw invalid(`tensor index ${index} of ${count}`, `${place}, ${what}`);
      }
    };
    check(subgraph.inputs, 'inputs', 0);
    check(subgraph.outputs, 'outputs', 0);
    subgraph.tensors.forEach((tensor, t) => {
      if ((tensor.shape?.length ?? 0) > maxRank)
        throw invalid(`a shape of ${tensor.shape?.length} dimensions`, `${place}, tensor ${t}`);
      if (tensor.buffer >= model.buffers.length && model.buffers.length > 0) {
        throw invalid(`buffer index ${tensor.buffer} of ${model.buffers.length}`, `${place}, tensor ${t}`);
      }
    });
    subgraph.operators.forEach((operator, o) => {
      const what = `operator ${o}`;
      if (operator.opcodeIndex >= model.operatorCodes.length) {
        throw invalid(`operator code ${operator.opcodeIndex} of ${model.operatorCodes.length}`, `${place}, ${what}`);
      }
      check(operator.inputs, `${what} inputs`, -1);
      check(operator.outputs, `${what} outputs`, 0);
      check(operator.intermediates, `${what} intermediates`, -1);
    });
  });
  for (const signature of model.signatureDefs) {
    const subgraph = model.subgraphs[signature.subgraphIndex];
    const place = `signature ${signature.signatureKey ?? ''}`;
    if (subgraph === undefined)
      throw invalid(`subgraph index ${signature.subgraphIndex} of ${model.subgraphs.length}`, place);
    for (const map of [...signature.inputs, ...signature.outputs]) {
      if (map.tensorIndex >= subgraph.tensors.length)
        throw invalid(`tensor index ${map.tensorIndex} of ${subgraph.tensors.length}`, place);
    }
  }
  for (const entry of model.metadata) {
    if (entry.buffer >= model.buffers.length)
      throw invalid(`buffer index ${entry.buffer} of ${model.buffers.length}`, `metadata ${entry.name ?? ''}`);
  }
}
