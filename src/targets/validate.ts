// Consistency checks between the fields of a target file, beyond its schema. Each has a name, so that tests and readers
// can refer to it.

import type { z } from 'zod';
import { flashPage, type TargetFile, targetFields } from './schema.js';

export interface Check {
  /** Fields that it uses. */
  readonly fields: readonly (keyof TargetFile)[];
  /** Path of the error. */
  readonly path: string;
  /** The error; null if there is none. */
  readonly fault: (target: TargetFile) => string | null;
}

/** A figure must name its source, or say that it is unverified. */
function sourced(figure: 'flash' | 'ram' | 'latency' | 'power'): Check {
  return {
    fields: [figure, 'sources', 'unverified'],
    path: `sources.${figure}`,
    fault: ({ [figure]: value, sources, unverified }) => {
      const known =
        value === null ||
        unverified.includes(figure) ||
        Object.keys(sources).some((key) => key === figure || key.startsWith(`${figure}.`));
      return known ? null : 'a figure needs a source, or an entry under `unverified`';
    },
  };
}

export const checks = {
  'flash-usable': {
    fields: ['flash'],
    path: 'flash.usableBytes',
    fault: ({ flash }) =>
      flash !== null && flash.usableBytes > flash.bytes
        ? `${flash.usableBytes} usable bytes of only ${flash.bytes}`
        : null,
  },
  'flash-room': {
    fields: ['flash'],
    path: 'flash.firmwareBytes',
    fault: ({ flash }) =>
      flash !== null && (flash.usableBytes - flash.firmwareBytes) / 2 < flashPage
        ? 'the firmware leaves no flash for two slots'
        : null,
  },
  'flashing-start': {
    fields: ['flash', 'flashing'],
    path: 'flash.start',
    fault: ({ flash, flashing }) =>
      flashing.length > 0 && flash?.start === undefined ? 'methods to write the flash need its address' : null,
  },
  'ram-room': {
    fields: ['ram'],
    path: 'ram.firmwareBytes',
    fault: ({ ram }) => (ram.firmwareBytes >= ram.bytes ? 'the firmware leaves no RAM for an arena' : null),
  },
  'core-for-kernels': {
    fields: ['core', 'runtime'],
    path: 'core',
    fault: ({ core, runtime }) =>
      core === null && runtime.kernels !== 'edgetpu' ? 'a microcontroller has a core' : null,
  },
  'accelerator-operators': {
    fields: ['operatorSet', 'runtime'],
    path: 'operatorSet',
    fault: ({ operatorSet, runtime }) =>
      (operatorSet === 'edgetpu') !== (runtime.kernels === 'edgetpu')
        ? `operators of ${operatorSet} for kernels of ${runtime.kernels}`
        : null,
  },
  'accelerator-latency': {
    fields: ['latency', 'runtime'],
    path: 'latency.kind',
    fault: ({ latency, runtime }) =>
      (latency.kind === 'edgetpu') !== (runtime.kernels === 'edgetpu')
        ? `a latency of kind ${latency.kind} for kernels of ${runtime.kernels}`
        : null,
  },
  'clock-for-cycles': {
    fields: ['clockHz', 'latency'],
    path: 'clockHz',
    fault: ({ clockHz, latency }) =>
      latency.kind === 'cycles' && clockHz === null ? 'cycles need a clock frequency' : null,
  },
  'alignment-power-of-two': {
    fields: ['alignment'],
    path: 'alignment',
    fault: ({ alignment }) => (!Number.isInteger(Math.log2(alignment)) ? `${alignment} is not a power of two` : null),
  },
  'flash-source': sourced('flash'),
  'ram-source': sourced('ram'),
  'latency-source': sourced('latency'),
  'power-source': sourced('power'),
} as const satisfies Readonly<Record<string, Check>>;

/** Whether an error concerns one of these fields, or the whole file. An unknown key is neither. */
function isAbout(
  { code, path = [] }: { code?: string; path?: readonly PropertyKey[] | undefined },
  fields: readonly string[],
): boolean {
  return path.length === 0 ? code !== 'unrecognized_keys' : fields.some((field) => path[0] === field);
}

/** Validates the fields, then the checks between them; a check runs only if the fields that it uses are valid. */
export const targetSchema = Object.values<Check>(checks).reduce(
  (schema: z.ZodType<TargetFile>, { fields: needed, path, fault }) =>
    schema.refine((target) => fault(target) === null, {
      path: path.split('.'),
      error: ({ input }) => fault(input as TargetFile) ?? '',
      when: ({ issues }) => !issues.some((issue) => isAbout(issue, needed)),
    }),
  targetFields,
);
