// What to do about the findings of a check.

import type { CheckAdvice, CheckReason, CheckResult, CheckWarning } from '../../targets/index.js';

/** What would help a model that does not fit. */
export const reasonTexts: Readonly<Record<CheckAdvice, string>> = {
  'replace-operators': 'replace these operators in the model, or cut it before them',
  'supported-operators':
    'replace these operators in the model, or cut it before them; docs/operators.md lists the supported ones',
  'smaller-model': 'use a smaller model, or a board with more flash',
  'smaller-arena':
    'use smaller activations, or a board with more RAM; `atoll check --memory` shows the arena over time',
  quantize: 'quantize the model: `atoll quantize MODEL --calibrate DATASET -o OUT`',
  'quantize-float-model': 'quantize the float model: `atoll quantize MODEL --calibrate DATASET -o OUT`',
  'quantize-again':
    'quantize the float model with `atoll quantize`, whose scales and zero points are within the limits of ' +
    'both runtimes',
  'integer-io': 'make inputs and outputs integers too: `atoll quantize` with --io int8 (or uint8)',
  'uncompiled-model':
    'check the .tflite file that it was compiled from; `atoll inspect` shows the content of the compiled one',
};

const warningTexts: Readonly<Record<CheckWarning['code'], string>> = {
  ACCUMULATOR_OVERFLOW:
    'quantize the float model with `atoll quantize`, which chooses scales for which no accumulator overflows',
  RUNTIME_LIMIT: 'quantize the float model with `atoll quantize`, which writes no such operator',
  KERNEL_DIFFERENCE:
    'compare device and simulator on your data (`atoll evaluate --device`), or link the reference kernel of ' +
    'this operator',
  FIRMWARE_FLASH:
    'use fewer kinds of operators; or raise flash.firmwareBytes in a target file of your own, which makes the ' +
    'slots smaller',
  SUBGRAPHS_NOT_COUNTED:
    'use the arena size that the device reports (`arena_used_bytes()`), and allow for the subgraphs of IF, WHILE and ' +
    'CALL_ONCE',
};

export type AdvisedResult = Omit<CheckResult, 'reasons' | 'warnings'> & {
  readonly reasons: readonly (CheckReason & { readonly hint: string })[];
  readonly warnings: readonly (CheckWarning & { readonly hint: string })[];
};

/** The result of a check with a hint for each reason and warning. */
export function withHints(result: CheckResult): AdvisedResult {
  return {
    ...result,
    reasons: result.reasons.map((reason) => ({ ...reason, hint: reasonTexts[reason.advice] })),
    warnings: result.warnings.map((warning) => ({ ...warning, hint: warningTexts[warning.code] })),
  };
}
