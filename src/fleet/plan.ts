// A rollout plan: a YAML file that names the bundle, the devices, the waves and what must hold between them.

import path from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.js';
import { describeFaults, parseYaml, readText } from '../files/index.js';
import { topicName } from '../mqtt/index.js';
import { type Gate, gateActions } from './gates.js';
import type { FleetMember } from './registry.js';
import { drawnOrder, type WavePlan } from './waves.js';

/** `10%`. */
const share = z
  .string()
  .regex(/^(100|\d{1,2}(\.\d+)?)%$/, 'must be a share, such as 10%')
  .transform((text) => Number(text.slice(0, -1)) / 100)
  .refine((value) => value > 0, 'must be above 0%');
const count = z.number().int().positive();

const wavesSchema = z.union([
  z
    .array(z.union([count, share.transform((value) => ({ share: value }))]))
    .min(1)
    .max(100),
  z.strictObject({ first: count, factor: z.number().min(1).max(1000) }),
]);

const gateCommon = {
  minimum: count.default(1),
  confidence: share.refine((value) => value < 1, 'must be below 100%').default(0.95),
  action: z.enum(gateActions).default('pause'),
};
/** None bad is a condition too. */
const mostBad = z.union([z.literal('0%').transform(() => 0), share]);
const gateSchema = z
  .discriminatedUnion('measure', [
    z.strictObject({ measure: z.literal('confirmed'), atLeast: share, ...gateCommon }),
    z.strictObject({ measure: z.literal('failed'), atMost: mostBad, ...gateCommon }),
    z.strictObject({ measure: z.literal('unknown'), atMost: mostBad, ...gateCommon }),
    z.strictObject({
      measure: z.literal('latency'),
      limitMs: z.number().positive().optional(),
      factor: z.number().positive().optional(),
      atMost: mostBad.default(0.05),
      ...gateCommon,
    }),
  ])
  .refine((gate) => gate.measure !== 'latency' || gate.limitMs !== undefined || gate.factor !== undefined, 'a latency needs limitMs, factor, or both')
  .transform(({ minimum, confidence, action, ...gate }): Gate => {
    const [limitMs, factor] = gate.measure === 'latency' ? [gate.limitMs ?? null, gate.factor ?? null] : [null, null];
    const bad = gate.measure === 'confirmed' ? 1 - gate.atLeast : gate.atMost;
    return { measure: gate.measure, mostBad: bad, limitMs, factor, minimum, confidence, action };
  });

/** As long as nothing else is said: nearly all devices are confirmed, and hardly any fails. */
const usualGates: readonly Gate[] = [
  { measure: 'confirmed', mostBad: 0.05, limitMs: null, factor: null, minimum: 1, confidence: 0.95, action: 'pause' },
  { measure: 'failed', mostBad: 0.02, limitMs: null, factor: null, minimum: 1, confidence: 0.95, action: 'pause' },
];

const planSchema = z.strictObject({
  /** Known under it at the broker and on the devices. */
  rollout: z.string().regex(topicName, 'must be up to 64 letters, digits, dots, dashes and underscores'),
  bundle: z.string(),
  select: z
    .strictObject({ tags: z.record(z.string(), z.string()).default({}), ids: z.array(z.string()).optional(), share: share.optional() })
    .default({ tags: {} }),
  gates: z.array(gateSchema).max(20).optional(),
  waves: wavesSchema.default([{ share: 0.01 }, { share: 0.1 }, { share: 0.5 }, { share: 1 }]),
});

export interface RolloutPlan {
  readonly rollout: string;
  /** Path of the bundle. */
  readonly bundle: string;
  readonly select: { readonly tags: Readonly<Record<string, string>>; readonly ids: readonly string[] | null; readonly share: number };
  readonly waves: WavePlan;
  /** All must hold of a wave before the next one begins. */
  readonly gates: readonly Gate[];
}

/** @throws FILE_NOT_READABLE, ROLLOUT_PLAN */
export async function readPlan(file: string): Promise<RolloutPlan> {
  const { value, faults } = parseYaml(await readText(file), planSchema);
  if (value === null) throw fail('ROLLOUT_PLAN', describeFaults(file, faults));
  const { rollout, select, waves } = value;
  return {
    rollout,
    bundle: path.join(path.dirname(file), value.bundle),
    select: { tags: select.tags, ids: select.ids ?? null, share: select.share ?? 1 },
    waves,
    gates: value.gates ?? usualGates,
  };
}

/** What a plan selects of a fleet. */
export interface Selection {
  readonly members: readonly FleetMember[];
  /** Ids that the plan names, and the fleet does not have. */
  readonly unknown: readonly string[];
  /** Named or tagged by the plan, but of another kind than the bundle is for. */
  readonly otherTargets: readonly FleetMember[];
}

/** @param target that the bundle is for */
export function selectMembers(members: readonly FleetMember[], { select, rollout }: RolloutPlan, target: string): Selection {
  const { tags, ids } = select;
  const meant = members.filter(({ id, reported }) => {
    const tagged = Object.entries(tags).every(([name, value]) => reported.tags?.[name] === value);
    return tagged && (ids === null || ids.includes(id));
  });
  const fitting = meant.filter(({ reported }) => reported.target === target);
  // Another draw than that of the waves, or the first ones of one would be the first of the other.
  const order = drawnOrder(
    fitting.map(({ id }) => id),
    `${rollout} share`,
  );
  const drawn = new Set(order.slice(0, Math.ceil(select.share * fitting.length)));
  const known = new Set(members.map(({ id }) => id));
  return {
    members: fitting.filter(({ id }) => drawn.has(id)),
    unknown: (ids ?? []).filter((id) => !known.has(id)),
    otherTargets: meant.filter(({ reported }) => reported.target !== target),
  };
}
