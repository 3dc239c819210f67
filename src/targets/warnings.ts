// Warnings: what does not prevent a model from running on a target, but may make it wrong or fail to link.

import type { Model } from '../formats/tflite/index.js';
import { runtimeNames } from '../simulator/index.js';
import { runtimeKernelsOf } from './budget.js';
import type { ModelFacts } from './facts.js';
import { cmsisNnDifferences } from './kernel-differences.js';
import type { Target } from './load.js';
import type { RuntimeFlash } from './runtime-flash.js';

/** Something about a model that fits and may still surprise. */
export interface CheckWarning {
  readonly code:
    | 'ACCUMULATOR_OVERFLOW'
    | 'RUNTIME_LIMIT'
    | 'KERNEL_DIFFERENCE'
    | 'FIRMWARE_FLASH'
    | 'SUBGRAPHS_NOT_COUNTED';
  readonly message: string;
}

export function warningsOf(
  model: Model,
  target: Target,
  { overflows, limits }: ModelFacts,
  runtime: RuntimeFlash | null,
): CheckWarning[] {
  const kernels = runtimeKernelsOf(target);
  const differences = kernels?.library === 'cmsis-nn' ? cmsisNnDifferences(model, kernels.simd === 'mve') : [];
  return [
    ...overflows().map(({ operator, op, tensor, channel, channels }) => ({
      code: 'ACCUMULATOR_OVERFLOW' as const,
      message:
        `operator ${operator} ${op}: some inputs could overflow the 32-bit accumulator of ${channels} channel(s) ` +
        `of weights ${tensor}, first channel ${channel}`,
    })),
    ...limits(kernels === null ? 'tflite' : 'tflm').flatMap(({ severity, place, reason }) =>
      severity === 'wrong'
        ? {
            code: 'RUNTIME_LIMIT' as const,
            message:
              `${place}: ${runtimeNames[kernels === null ? 'tflite' : 'tflm']} computes this incorrectly: ` +
              `${reason}`,
          }
        : [],
    ),
    ...differences.map(({ operator, op, what }) => ({
      code: 'KERNEL_DIFFERENCE' as const,
      message: `operator ${operator} ${op}: CMSIS-NN may differ from the simulator: ${what}`,
    })),
    ...firmwareWarnings(target, runtime),
    ...subgraphWarnings(model, kernels !== null),
  ];
}

/** Warns if the runtime alone fills the flash that the target reserves for the firmware. */
function firmwareWarnings({ id, flash }: Target, runtime: RuntimeFlash | null): CheckWarning[] {
  if (flash === null || runtime === null || runtime.bytes <= flash.firmwareBytes) return [];
  return [
    {
      code: 'FIRMWARE_FLASH',
      message:
        `interpreter and operators need ${runtime.bytes} bytes of flash; ${id} reserves ${flash.firmwareBytes} ` +
        'for the firmware',
    },
  ];
}

/** The subgraphs of IF, WHILE and CALL_ONCE need arena and time that are not counted here. */
function subgraphWarnings({ subgraphs }: Model, interpreted: boolean): CheckWarning[] {
  if (subgraphs.length === 1 || !interpreted) return [];
  return [
    {
      code: 'SUBGRAPHS_NOT_COUNTED',
      message:
        `the model has ${subgraphs.length} subgraphs; arena and latency are those of the main one only, so the ` +
        'device needs more',
    },
  ];
}
