// A rollout plan: a YAML file that names the bundle, the devices, the waves, the gates between them, and the limits.

import path from 'node:path';
import { z } from 'zod';
import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { describeFaults, parseYaml, readText } from '../base/files/index.js';
import { topicName } from '../devices/mqtt/index.js';
import { isBlockSize, maxRolloutName } from '../devices/protocol/index.js';
import { allowanceForm, minimumForm, parseAllowance, parseMinimum } from '../evaluate/index.js';
import { type Condition, type Gate, gateActions } from './gates.js';
import { isTimeZone, type MaintenanceWindow, weekdays } from './maintenance-window.js';
import type { Deadlines } from './records.js';
import type { WavePlan } from './waves.js';

/** Plain data: a store keeps it as JSON. */
export interface RolloutPlan {
  readonly rollout: string;
  /** Path of the bundle. */
  readonly bundle: string;
  /** Path of the bundle to roll back to; null: that of the previous rollout, if the store knows one. */
  readonly previous: string | null;
  readonly select: {
    readonly tags: Readonly<Record<string, string>>;
    readonly ids: readonly string[] | null;
    readonly share: number;
  };
  /** The number of devices that the plan expects; a different number is rejected. Null accepts any number. */
  readonly expect: number | null;
  readonly waves: WavePlan;
  /** Gates that must all pass before the next wave begins. */
  readonly gates: readonly Gate[];
  readonly deadlines: Deadlines;
  /** Maximum number of devices in flight. */
  readonly concurrency: number;
  /** Average rate at which devices may download; null for no limit. */
  readonly bytesPerSecond: number | null;
  readonly window: MaintenanceWindow | null;
  /** Seconds since 1970 after which devices start nothing new; null for no deadline. */
  readonly notAfter: number | null;
  /** Size of a block before compression. */
  readonly blockBytes: number;
  /** Where devices get blocks: retained at the broker, or requested from the agent in ranges. */
  readonly source: 'retained' | 'pull';
}

/** `10%`. */
const share = z
  .string()
  .regex(/^(100|\d{1,2}(\.\d+)?)%$/, 'must be a share, such as 10%')
  .transform((text) => Number(text.slice(0, -1)) / 100)
  .refine((value) => value > 0, 'must be above 0%');
/** Zero is valid. */
const anyShare = z.union([z.literal('0%').transform(() => 0), share]);
const count = z.number().int().positive();

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** `90s`. */
const duration = z
  .string('must be a time, such as 90s, 10m, 2h or 1d')
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'must be a time, such as 90s, 10m, 2h or 1d')
  .transform((text) => Number.parseFloat(text) * unitMs[text.replace(/^[\d.]+/, '') as keyof typeof unitMs])
  .refine((ms) => ms > 0, 'must be above 0');

/** `22:30`, as minutes of the day. */
const timeOfDay = z
  .string()
  .regex(/^([01]?\d|2[0-3]):[0-5]\d$/, 'must be a time of the day, such as 22:30')
  .transform((text) => 60 * Number(text.split(':')[0]) + Number(text.split(':')[1]));

const unitBytes = { B: 1, kB: 1000, MB: 1_000_000, KiB: 1024, MiB: 1_048_576 } as const;
/** `200 kB/s`. */
const bandwidth = z
  .string('must be bytes in a second, such as 200 kB/s')
  .regex(/^\d+(\.\d+)? ?(B|kB|MB|KiB|MiB)\/s$/, 'must be bytes in a second, such as 200 kB/s')
  .transform(
    (text) => Number.parseFloat(text) * unitBytes[text.replace(/^[\d.]+ ?/, '').slice(0, -2) as keyof typeof unitBytes],
  )
  .refine((value) => value > 0, 'must be above 0');

const grows = (values: readonly number[]): boolean =>
  values.every((value, i) => i === 0 || value > elementAt(values, i - 1));

const wavesSchema = z.union([
  z
    .array(z.union([count, share.transform((value) => ({ share: value }))]))
    .min(1)
    .max(100)
    .refine(
      (ends) =>
        grows(ends.filter((end) => typeof end === 'number')) &&
        grows(ends.flatMap((end) => (typeof end === 'number' ? [] : end.share))),
      {
        error: 'each value must be larger than the previous one: they are cumulative',
      },
    ),
  z.strictObject({ first: count, factor: z.number().min(1).max(1000) }),
]);

const gateCommon = {
  minimum: count.default(1),
  confidence: share.refine((value) => value < 1, 'must be below 100%').default(0.95),
  action: z.enum(gateActions).default('pause'),
};
/** For gates on a measured value: the share of devices that may exceed the limit. */
const fewBad = { atMost: anyShare.default(0.05), ...gateCommon };
const gateSchema = z
  .discriminatedUnion('measure', [
    z.strictObject({ measure: z.literal('confirmed'), atLeast: share, ...gateCommon }),
    z.strictObject({ measure: z.literal('failed'), atMost: anyShare, ...gateCommon }),
    z.strictObject({ measure: z.literal('unknown'), atMost: anyShare, ...gateCommon }),
    z.strictObject({
      measure: z.literal('latency'),
      limitMs: z.number().positive().optional(),
      factor: z.number().positive().optional(),
      ...fewBad,
    }),
    z.strictObject({ measure: z.literal('accuracy'), least: share.optional(), drop: anyShare.optional(), ...fewBad }),
    z.strictObject({ measure: z.literal('agreement'), limitLsb: z.number().int().nonnegative(), ...fewBad }),
    z.strictObject({ measure: z.literal('arena'), limitBytes: count, ...fewBad }),
  ])
  .refine(
    (gate) => gate.measure !== 'latency' || gate.limitMs !== undefined || gate.factor !== undefined,
    'a latency needs limitMs, factor, or both',
  )
  .refine(
    (gate) => gate.measure !== 'accuracy' || gate.least !== undefined || gate.drop !== undefined,
    'an accuracy needs least, drop, or both',
  );

/** Limits for each device, in the syntax of the command-line options. `gates` offers more control. */
const limitsSchema = z
  .strictObject({
    maxDrop: z
      .union([z.string(), z.number()])
      .transform((text, context) => allowed(parseAllowance(String(text)), context, `must be such as ${allowanceForm}`))
      .refine(
        ({ unit }) => unit !== 'percent',
        'must be in points (2pt) or a share (0.02): devices report shares of correct answers',
      )
      .optional(),
    min: z
      .string()
      .transform((text, context) => allowed(parseMinimum(text), context, `must be ${minimumForm}`))
      .refine(({ metric }) => metric === 'top1', 'must be for top1: devices report shares of correct answers')
      .optional(),
    maxLatencyMs: z.number().positive().optional(),
    maxArenaBytes: count.optional(),
  })
  .default({});

/** Reports a value that could not be parsed. @param value null if it is not valid */
function allowed<T>(value: T | null, context: z.RefinementCtx, message: string): T {
  if (value !== null) return value;
  context.issues.push({ code: 'custom', message, input: value });
  return z.NEVER;
}

/** The limits as gates: in each wave at most 5 % of the devices may exceed each limit. */
function gatesOf({ maxDrop, min, maxLatencyMs, maxArenaBytes }: z.output<typeof limitsSchema>): Gate[] {
  const drop = maxDrop === undefined ? null : maxDrop.unit === 'points' ? maxDrop.value / 100 : maxDrop.value;
  const conditions: Condition[] = [
    ...(drop === null && min === undefined ? [] : [{ measure: 'accuracy', least: min?.value ?? null, drop } as const]),
    ...(maxLatencyMs === undefined ? [] : [{ measure: 'latency', limitMs: maxLatencyMs, factor: null } as const]),
    ...(maxArenaBytes === undefined ? [] : [{ measure: 'arena', limitBytes: maxArenaBytes } as const]),
  ];
  return conditions.map((condition) => ({ ...condition, maxBad: 0.05, ...usual }));
}

type WrittenGate = z.output<typeof gateSchema>;

function gateOf(written: WrittenGate): Gate {
  const { minimum, confidence, action } = written;
  const maxBad = written.measure === 'confirmed' ? 1 - written.atLeast : written.atMost;
  return { ...conditionOf(written), maxBad, minimum, confidence, action };
}

function conditionOf(written: WrittenGate): Condition {
  switch (written.measure) {
    case 'latency':
      return { measure: written.measure, limitMs: written.limitMs ?? null, factor: written.factor ?? null };
    case 'accuracy':
      return { measure: written.measure, least: written.least ?? null, drop: written.drop ?? null };
    case 'agreement':
      return { measure: written.measure, limitLsb: written.limitLsb };
    case 'arena':
      return { measure: written.measure, limitBytes: written.limitBytes };
    default:
      return { measure: written.measure };
  }
}

const usual = { minimum: 1, confidence: 0.95, action: 'pause' } as const;
/** Default gates: nearly all devices are confirmed, and hardly any fails. */
const defaultGates: readonly Gate[] = [
  { measure: 'confirmed', maxBad: 0.05, ...usual },
  { measure: 'failed', maxBad: 0.02, ...usual },
];

const defaultDeadlines: Deadlines = {
  notified: 3_600_000,
  downloading: 3_600_000,
  verified: 600_000,
  pending: 900_000,
};

const planSchema = z.strictObject({
  /** Name of the rollout at the broker and on the devices. */
  rollout: z.string().regex(topicName, `must be up to ${maxRolloutName} letters, digits, dots, dashes and underscores`),
  bundle: z.string(),
  previous: z.string().optional(),
  select: z
    .strictObject({
      tags: z.record(z.string(), z.string()).default({}),
      ids: z.array(z.string()).optional(),
      share: share.optional(),
    })
    .default({ tags: {} }),
  expect: count.optional(),
  gates: z.array(gateSchema).max(20).optional(),
  limits: limitsSchema,
  waves: wavesSchema.default([{ share: 0.01 }, { share: 0.1 }, { share: 0.5 }, { share: 1 }]),
  deadlines: z
    .strictObject({
      notified: duration.optional(),
      downloading: duration.optional(),
      verified: duration.optional(),
      pending: duration.optional(),
    })
    .default({}),
  concurrency: count.default(1000),
  bandwidth: bandwidth.optional(),
  window: z
    .strictObject({
      from: timeOfDay,
      to: timeOfDay,
      days: z
        .array(z.enum(weekdays))
        .min(1)
        .default([...weekdays]),
      zone: z.string().refine(isTimeZone, 'must be a time zone, such as Europe/Berlin').default('UTC'),
    })
    .refine(({ from, to }) => from !== to, 'must not end when it begins')
    .optional(),
  notAfter: z.iso.datetime({ offset: true, error: 'must be a time such as 2030-01-31T22:00:00Z' }).optional(),
  blockBytes: z.number().refine(isBlockSize, 'must be a power of two from 512 to 32768').default(1024),
  source: z.enum(['retained', 'pull']).default('retained'),
});

/**
 * Reads a rollout plan from a YAML file.
 * @throws FILE_NOT_READABLE, ROLLOUT_PLAN
 */
export async function readPlan(file: string): Promise<RolloutPlan> {
  return planOf(await readText(file), file, path.dirname(file));
}

/** A plan that does not come from a file. @throws ROLLOUT_PLAN */
export function planFrom(written: object): RolloutPlan {
  return planOf(JSON.stringify(written), 'the options', '.');
}

/** @param folder base of the relative paths in the plan */
function planOf(text: string, where: string, folder: string): RolloutPlan {
  const { value, faults } = parseYaml(text, planSchema);
  if (value === null) throw fail('ROLLOUT_PLAN', describeFaults(where, faults));
  const { rollout, select, waves, concurrency, blockBytes, source } = value;
  const beside = (name: string): string => path.resolve(folder, name);
  return {
    rollout,
    bundle: beside(value.bundle),
    previous: value.previous === undefined ? null : beside(value.previous),
    select: { tags: select.tags, ids: select.ids ?? null, share: select.share ?? 1 },
    expect: value.expect ?? null,
    waves,
    gates: [...(value.gates?.map(gateOf) ?? defaultGates), ...gatesOf(value.limits)],
    deadlines: { ...defaultDeadlines, ...defined(value.deadlines) },
    concurrency,
    bytesPerSecond: value.bandwidth ?? null,
    window: value.window ?? null,
    notAfter: value.notAfter === undefined ? null : Math.floor(Date.parse(value.notAfter) / 1000),
    blockBytes,
    source,
  };
}

function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
