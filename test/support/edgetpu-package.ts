// A file as edgetpu_compiler would write it, made from what libedgetpu's schema says: for tests without that compiler.

import { Builder } from 'flatbuffers';
import { builder as flexbuilder } from 'flatbuffers/js/flexbuffers.js';
import { addBuffer, copyModel, create, type Model, mainSubgraph, schema } from '../../src/tflite/index.js';

export interface PackagedExecutable {
  /** 0 stand-alone, 1 parameter-caching, 2 execution-only */
  readonly type: number;
  readonly parameterBytes: number;
}

function executable({ type, parameterBytes }: PackagedExecutable): Uint8Array {
  const b = new Builder(256);
  const chip = b.createString('beagle');
  const parameters = b.createByteVector(new Uint8Array(parameterBytes));
  const name = b.createString('input');
  b.startObject(11);
  b.addFieldOffset(0, name, 0);
  b.addFieldInt32(1, 48, 0);
  b.addFieldInt32(2, 4, 0);
  b.addFieldInt32(3, 4, 0);
  b.addFieldInt32(4, 3, 0);
  const layer = b.endObject();
  const layers = offsets(b, [layer]);
  b.startObject(17);
  b.addFieldInt32(3, 1, 0);
  b.addFieldInt32(4, 64, 0);
  b.addFieldOffset(6, parameters, 0);
  if (type !== 1) b.addFieldOffset(8, layers, 0);
  b.addFieldOffset(10, chip, 0);
  b.addFieldInt16(13, type, 0);
  b.addFieldInt64(14, 77n, 0n);
  b.addFieldInt64(16, type === 1 ? 0n : 1234n, 0n);
  b.finish(b.endObject());
  return b.asUint8Array();
}

function offsets(b: Builder, list: readonly number[]): number {
  b.startVector(4, list.length, 4);
  for (const one of [...list].reverse()) b.addOffset(one);
  return b.endVector();
}

/** What libedgetpu finds under key 4 of the custom operator's options. */
export function edgeTpuPackage(executables: readonly PackagedExecutable[], minRuntimeVersion: number): Uint8Array {
  const multi = new Builder(1024);
  // The schema says text; it is bytes.
  const texts = executables.map((one) => multi.createString(executable(one)));
  const list = offsets(multi, texts);
  multi.startObject(1);
  multi.addFieldOffset(0, list, 0);
  multi.finish(multi.endObject());
  const b = new Builder(1024);
  const inner = b.createByteVector(multi.asUint8Array());
  const compiler = b.createString('16.0');
  b.startObject(8);
  b.addFieldInt32(0, minRuntimeVersion, 0);
  b.addFieldOffset(1, inner, 0);
  b.addFieldOffset(4, compiler, 0);
  b.finish(b.endObject(), 'DWN1');
  return b.asUint8Array();
}

/** All operators of a model as one custom operator. */
export function compiledLike(model: Model, executables: readonly PackagedExecutable[], minRuntimeVersion: number): Model {
  const copy = copyModel(model);
  const graph = mainSubgraph(copy);
  copy.operatorCodes = [create(schema.OperatorCode, { builtinCode: 32, deprecatedBuiltinCode: 32, customCode: 'edgetpu-custom-op', version: 1 })];
  graph.operators = [
    create(schema.Operator, {
      opcodeIndex: 0,
      inputs: graph.inputs,
      outputs: graph.outputs,
      customOptions: customOptions(edgeTpuPackage(executables, minRuntimeVersion)),
    }),
  ];
  addBuffer(copy, new Uint8Array(1));
  return copy;
}

function customOptions(content: Uint8Array): Uint8Array {
  const flex = flexbuilder();
  flex.startMap();
  flex.addKey('1');
  flex.add(1);
  flex.addKey('4');
  flex.add(content.slice());
  flex.end();
  return flex.finish();
}
