// The schema of the target file. Everything that differs between devices is in these files and not in code.

import { z } from 'zod';
import { type KernelProfile, kernelProfiles } from '../simulator/index.js';
import { type RuleName, ruleNames } from './edgetpu/rules.js';

/** Slots consist of whole pages. */
export const flashPage = 4096;

const bytes = z.number().int().positive();

const u32 = z.number().int().min(0).max(0xffffffff);
const u16 = z.number().int().min(0).max(0xffff);
const usbId = z.strictObject({ vendor: u16, product: u16, state: z.string() });

const flashingSchema = z.discriminatedUnion('method', [
  /** A drive of the bootloader; `family` is the board's family id in UF2 files. */
  z.strictObject({ method: z.literal('uf2'), familyId: u32 }),
  /** `alternate`: for plain DFU, the name of the alternate setting for the model's flash; DfuSe uses addresses. */
  z.strictObject({
    method: z.literal('dfu'),
    ids: z.array(z.strictObject({ vendor: u16, product: u16 })).min(1),
    alternate: z.string().optional(),
  }),
  z.strictObject({ method: z.literal('esptool'), chip: z.string() }),
  z.strictObject({ method: z.literal('probe-rs'), chip: z.string() }),
  z.strictObject({ method: z.literal('openocd'), scripts: z.array(z.string()).min(1) }),
  z.strictObject({ method: z.literal('bossac') }),
]);

const transportSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('serial'), baud: z.union([z.literal('any'), bytes]) }),
  z.strictObject({ kind: z.literal('usb'), ids: z.array(usbId).min(1) }),
  z.strictObject({ kind: z.literal('mqtt') }),
]);

/** Measurements on a board of this kind (`atoll targets calibrate`). */
const measuredSchema = z.strictObject({
  /** Measured divided by estimated latency. */
  factor: z.number().positive(),
  models: z.number().int().positive(),
  errorPercent: z.number().positive(),
});

/** Upper bound on plausible cycles: a larger value is a typing error. */
const cycles = z.number().positive().max(1e9);

const latencySchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('cycles'),
    perMac: z.strictObject({ conv: cycles, depthwise: cycles, fullyConnected: cycles }),
    perElement: z.strictObject({ elementwise: cycles, copy: cycles }),
    perOperator: z.number().nonnegative().max(1e9),
    errorPercent: z.number().positive(),
    measured: measuredSchema.optional(),
  }),
  z.strictObject({
    kind: z.literal('edgetpu'),
    /** Fixed cost of an inference. */
    overheadMs: z.number().nonnegative(),
    msPerMegacycle: z.number().positive(),
    /** Rate at which uncached parameters are sent. */
    bytesPerSecond: z.number().positive(),
    /** Operators that stay on the host's CPU. */
    host: z.strictObject({ nsPerMac: z.number().positive(), nsPerElement: z.number().positive() }),
    errorPercent: z.number().positive(),
    measured: measuredSchema.optional(),
  }),
]);

export const activationTypes = ['float32', 'int8', 'uint8', 'int16'] as const;

export const targetFields = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and dashes'),
  name: z.string().min(1),
  soc: z.string().min(1),
  core: z
    .strictObject({
      name: z.string(),
      simd: z.enum(['none', 'dsp', 'mve', 'pie']),
      wideEnums: z.boolean().default(false),
    })
    .nullable(),
  clockHz: z.number().positive().nullable(),
  /** `start`: address of the first usable byte. */
  flash: z.strictObject({ bytes, usableBytes: bytes, firmwareBytes: bytes, start: u32.optional() }).nullable(),
  ram: z.strictObject({ bytes, firmwareBytes: z.number().int().nonnegative() }),
  runtime: z.strictObject({
    name: z.string(),
    kernels: z.enum(['reference', 'cmsis-nn', 'esp-nn', 'edgetpu']),
    kernelProfile: z.enum(Object.keys(kernelProfiles) as [KernelProfile, ...KernelProfile[]]),
    /** Version of libedgetpu: compiled models say which one they require. */
    version: z.number().int().positive().optional(),
  }),
  agreement: z.union([
    z.literal('exact'),
    z.strictObject({ maxLsb: z.number().int().positive(), minShare: z.number().gt(0).max(1) }),
  ]),
  operatorSet: z.enum(['tflite-micro', 'edgetpu']),
  activationTypes: z.array(z.enum(activationTypes)).min(1),
  alignment: z.number().int().positive(),
  transports: z.array(transportSchema).min(1),
  flashMethod: z.string(),
  /** Methods to write flash that `atoll flash` knows; the first available one is used. */
  flashing: z.array(flashingSchema).default([]),
  latency: latencySchema,
  /** Power of the whole board while it computes; null if it is not published. */
  power: z
    .strictObject({ milliwatts: z.number().positive(), errorPercent: z.number().positive() })
    .nullable()
    .default(null),
  sources: z.record(z.string(), z.string()),
  unverified: z.array(z.string()),
});

/** Content of a target file. */
export type TargetFile = z.infer<typeof targetFields>;
export type Flashing = z.infer<typeof flashingSchema>;

export type Agreement = TargetFile['agreement'];

const elementTypes = ['float32', 'int8', 'uint8', 'int16', 'int32', 'int64', 'uint32', 'bool'] as const;

const weightTypes = ['float32', 'int8', 'int4', 'uint8'] as const;

const types = z.union([z.literal('any'), z.array(z.enum(elementTypes)).min(1)]);

/** How an operator's weights may be quantized. */
const weightsSchema = z.strictObject({
  /** Index of the weights input. */
  input: z.number().int().nonnegative(),
  /** Types that they may have, by the type of the activations. */
  types: z.partialRecord(z.enum(elementTypes), z.array(z.enum(weightTypes)).min(1)),
  /** Types that may have a scale per channel; the others have one scale. */
  perChannel: z.array(z.enum(weightTypes)),
});

export type WeightLimits = z.infer<typeof weightsSchema>;

/** An operator with its types and, if any, its limits. */
const operatorSchema = z.union([
  types.transform((known) => ({
    types: known,
    weights: null,
    rules: [] as RuleName[],
    source: null,
    unconfirmed: false,
  })),
  z.strictObject({
    types,
    weights: weightsSchema.nullable().default(null),
    rules: z.array(z.enum(ruleNames)).default([]),
    /** One of the set's `sources`; null if it is the set's own. */
    source: z.string().nullable().default(null),
    unconfirmed: z.boolean().default(false),
  }),
]);

export const operatorSetSchema = z
  .strictObject({
    id: z.string(),
    source: z.string(),
    sources: z.record(z.string(), z.string()).default({}),
    operators: z.record(z.string(), operatorSchema),
  })
  .transform(({ sources, operators, ...set }) => ({
    ...set,
    operators: Object.fromEntries(
      Object.entries(operators).map(([op, { source, ...entry }]) => [
        op,
        { ...entry, source: source === null ? null : (sources[source] ?? source) },
      ]),
    ),
  }));

/** Flash of a linked runtime, by kernels and core (scripts/measure-flash.js). */
export const linkedSizesSchema = z.array(
  z.strictObject({
    kernels: z.enum(['reference', 'cmsis-nn']),
    core: z.string(),
    interpreterBytes: bytes,
    /** `CONV_2D` with kernels for every type, `CONV_2D int8` with those for one type. */
    operators: z.array(z.string()),
    /** Code shared by operators: its bytes and, in hexadecimal, a bit for each operator of the list that needs it. */
    pieces: z.array(z.tuple([bytes, z.string().regex(/^[0-9a-f]+$/)])),
  }),
);

/** Code sizes of operators, measured by linking, in bytes. */
export type LinkedSizes = z.infer<typeof linkedSizesSchema>[number];

/** The operators that a runtime can register. */
export type OperatorSet = z.infer<typeof operatorSetSchema>;
