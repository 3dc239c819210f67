// The target file, as data. Everything that differs between devices is here and in no code.

import { z } from 'zod';
import { type KernelProfile, kernelProfiles } from '../simulator/index.js';
import { type RuleName, ruleNames } from './edgetpu/rules.js';

const bytes = z.number().int().positive();
const usbId = z.strictObject({ vendor: z.number().int().min(0).max(0xffff), product: z.number().int().min(0).max(0xffff), state: z.string() });

const transportSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('serial'), baud: z.union([z.literal('any'), bytes]) }),
  z.strictObject({ kind: z.literal('usb'), ids: z.array(usbId).min(1) }),
  z.strictObject({ kind: z.literal('mqtt') }),
]);

const latencySchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('cycles'),
    perMac: z.strictObject({ conv: z.number().positive(), depthwise: z.number().positive(), fullyConnected: z.number().positive() }),
    perElement: z.strictObject({ elementwise: z.number().positive(), copy: z.number().positive() }),
    perOperator: z.number().nonnegative(),
    errorPercent: z.number().positive(),
  }),
  z.strictObject({
    kind: z.literal('edgetpu'),
    /** Of an inference, however small. */
    overheadMs: z.number().nonnegative(),
    msPerMegacycle: z.number().positive(),
    /** At which parameters are sent that are not cached. */
    bytesPerSecond: z.number().positive(),
    /** What stays on the CPU of the host. */
    host: z.strictObject({ nsPerMac: z.number().positive(), nsPerElement: z.number().positive() }),
    errorPercent: z.number().positive(),
  }),
]);

export const activationTypes = ['float32', 'int8', 'uint8', 'int16'] as const;

export const targetSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and dashes'),
  name: z.string().min(1),
  soc: z.string().min(1),
  core: z.strictObject({ name: z.string(), simd: z.enum(['none', 'dsp', 'mve']) }).nullable(),
  clockHz: z.number().positive().nullable(),
  flash: z.strictObject({ bytes, usableBytes: bytes, firmwareBytes: bytes }).nullable(),
  ram: z.strictObject({ bytes, firmwareBytes: z.number().int().nonnegative() }),
  runtime: z.strictObject({
    name: z.string(),
    kernels: z.enum(['reference', 'cmsis-nn', 'edgetpu']),
    kernelProfile: z.enum(Object.keys(kernelProfiles) as [KernelProfile, ...KernelProfile[]]),
  }),
  agreement: z.union([z.literal('exact'), z.strictObject({ maxLsb: z.number().int().positive(), minShare: z.number().gt(0).max(1) })]),
  operatorSet: z.string(),
  activationTypes: z.array(z.enum(activationTypes)).min(1),
  alignment: z.number().int().positive(),
  transports: z.array(transportSchema).min(1),
  flashMethod: z.string(),
  latency: latencySchema,
  sources: z.record(z.string(), z.string()),
  unverified: z.array(z.string()),
});

export type TargetFile = z.infer<typeof targetSchema>;
export type Agreement = TargetFile['agreement'];

const elementTypes = ['float32', 'int8', 'uint8', 'int16', 'int32', 'int64', 'uint32', 'bool'] as const;

const types = z.union([z.literal('any'), z.array(z.enum(elementTypes)).min(1)]);

/** An operator with its types; where it has limits, with these too. */
const operatorSchema = z.union([
  types.transform((known) => ({ types: known, rules: [] as RuleName[], source: null, unconfirmed: false })),
  z.strictObject({
    types,
    rules: z.array(z.enum(ruleNames)).default([]),
    /** One of the set's `sources`. */
    source: z.string(),
    unconfirmed: z.boolean().default(false),
  }),
]);

export const operatorSetSchema = z
  .strictObject({ id: z.string(), source: z.string(), sources: z.record(z.string(), z.string()).default({}), operators: z.record(z.string(), operatorSchema) })
  .transform(({ sources, operators, ...set }) => ({
    ...set,
    operators: Object.fromEntries(
      Object.entries(operators).map(([op, { source, ...entry }]) => [op, { ...entry, source: source === null ? null : (sources[source] ?? source) }]),
    ),
  }));

export type OperatorSet = z.infer<typeof operatorSetSchema>;
