// The registration of a model's operators as a C++ header for TFLite Micro.

import type { RegisteredOperator } from '../index.js';

/**
 * @param name C identifier, prefix of the names in the header
 * @param model name of the model, for the comment
 * @param arenaBytes arena size that the interpreter needs; null if unknown
 */
export function resolverCode(
  operators: readonly RegisteredOperator[],
  name: string,
  model: string,
  arenaBytes: number | null,
): string {
  const guard = `${name.toUpperCase()}_OP_RESOLVER_H_`;
  const pascal = name
    .split('_')
    .map((word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`)
    .join('');
  const calls = operators.map(({ op, count, method, type }) => {
    const registration = type === null ? '' : `tflite::Register_${op}_${type.toUpperCase()}()`;
    return `  TF_LITE_ENSURE_STATUS(resolver.${method}(${registration}));  // ${count} x ${op}`;
  });
  return [
    `// Operators of ${model}: ${operators.length} kinds. Written by atoll export.`,
    `#ifndef ${guard}`,
    `#define ${guard}`,
    '',
    ...operators.flatMap(({ header }) => (header === null ? [] : [`#include "${header}"`])),
    '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"',
    '',
    ...(arenaBytes === null ? [] : [`constexpr int k${pascal}ArenaBytes = ${arenaBytes};`, '']),
    `using ${pascal}OpResolver = tflite::MicroMutableOpResolver<${operators.length}>;`,
    '',
    `inline TfLiteStatus Register${pascal}Ops(${pascal}OpResolver& resolver) {`,
    ...calls,
    '  return kTfLiteOk;',
    '}',
    '',
    `#endif  // ${guard}`,
    '',
  ].join('\n');
}
