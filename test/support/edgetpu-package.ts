// A file as edgetpu_compiler would write it, made from what libedgetpu's schema says: for tests without that compiler.

import { builder as flexbuilder } from 'flatbuffers/js/flexbuffers.js';
import { addBuffer, copyModel, create, type Model, mainSubgraph, schema } from '../../src/formats/tflite/index.js';
import { edgeTpuSchema, encodePackage } from '../../src/targets/compiled/index.js';

export interface PackagedExecutable {
  /** 0 stand-alone, 1 parameter-caching, 2 execution-only */
  readonly type: number;
  readonly parameterBytes: number;
}

type ExecutableFields = edgeTpuSchema.ExecutableFields;

function executable({ type, parameterBytes }: PackagedExecutable): ExecutableFields {
  const layer = create(edgeTpuSchema.LayerTable, { name: 'input', bytes: 48, y: 4, x: 4, z: 3 });
  return create(edgeTpuSchema.ExecutableTable, {
    batchSize: 1,
    scratchBytes: 64,
    parameters: new Uint8Array(parameterBytes),
    inputs: type === 1 ? [] : [layer],
    chip: 'beagle',
    type,
    parameterCachingToken: 77n,
    estimatedCycles: type === 1 ? 0n : 1234n,
  });
}

/** All operators of a model as one custom operator. */
export function compiledLike(
  model: Model,
  executables: readonly PackagedExecutable[],
  minRuntimeVersion: number,
): Model {
  const { operators, outputs } = mainSubgraph(model);
  return withExecutables(model, {
    count: operators.length,
    outputs: [...(outputs ?? [])],
    executables: executables.map(executable),
    minRuntimeVersion,
  });
}

/** Some operators of a model, one after another, as one custom operator. */
export function withExecutables(
  model: Model,
  part: {
    /** Operators before it; none unless given. */
    readonly from?: number;
    readonly count: number;
    /** Tensors that it reads; the model's inputs unless given. */
    readonly inputs?: readonly number[];
    /** Tensors that it makes. */
    readonly outputs: readonly number[];
    readonly executables: readonly ExecutableFields[];
    readonly minRuntimeVersion: number;
  },
): Model {
  const fields = create(edgeTpuSchema.PackageTable, {
    minRuntimeVersion: part.minRuntimeVersion,
    compilerVersion: '16.0',
  });
  const content = encodePackage({
    fields,
    executables: part.executables.map((one) => ({ fields: one, fileBytes: 0 })),
  });
  const copy = copyModel(model);
  const graph = mainSubgraph(copy);
  copy.operatorCodes.push(
    create(schema.OperatorCode, {
      builtinCode: 32,
      deprecatedBuiltinCode: 32,
      customCode: 'edgetpu-custom-op',
      version: 1,
    }),
  );
  const from = part.from ?? 0;
  graph.operators = [
    ...graph.operators.slice(0, from),
    create(schema.Operator, {
      opcodeIndex: copy.operatorCodes.length - 1,
      inputs: part.inputs === undefined ? graph.inputs : Int32Array.from(part.inputs),
      outputs: Int32Array.from(part.outputs),
      customOptions: customOptions(content),
    }),
    ...graph.operators.slice(from + part.count),
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
