// A JSON file with calibration statistics, written by one run and read by others.

import { z } from 'zod';
import { fail, reasonOf } from '../../base/errors.js';
import type { Calibration } from './calibrate.js';

const schemaName = 'atoll/calibration/1';

const histogramSchema = z.strictObject({
  width: z.number().nonnegative(),
  zeros: z.number().nonnegative(),
  first: z.number().int().min(-2048).max(2048),
  counts: z.array(z.number().nonnegative()).max(4096),
});

const statisticsSchema = z
  .strictObject({
    runs: z.number().int().positive(),
    min: z.number(),
    max: z.number(),
    movingMin: z.number(),
    movingMax: z.number(),
    foldMin: z.number(),
    foldMax: z.number(),
    relevant: z
      .strictObject({ min: z.number(), max: z.number().nullable() })
      .refine(({ min, max }) => [min, max ?? 0].every((end) => Math.abs(end) < 2 ** 128), 'beyond float32')
      .nullable(),
    histogram: histogramSchema
      .refine(({ first, counts }) => first + counts.length <= 2048, 'more bins than there are')
      .nullable(),
  })
  .refine(
    ({ min, max, movingMin, movingMax }) => min <= max && movingMin <= movingMax,
    'a smallest value above the largest',
  )
  .refine(
    (values) => Object.values(values).every((value) => typeof value !== 'number' || Math.abs(value) < 2 ** 128),
    'beyond float32',
  )
  .nullable();

export const calibrationSchema = z.strictObject({
  schema: z.literal(schemaName),
  model: z.string(),
  subgraphs: z.array(
    z.strictObject({
      subgraph: z.number().int().nonnegative(),
      signature: z.string().nullable(),
      dataset: z.string(),
      samples: z.number().int().positive(),
      seed: z.number().int(),
      sha256: z.string(),
      tensors: z.array(statisticsSchema),
      folds: z.array(z.array(statisticsSchema)),
    }),
  ),
  warnings: z.array(z.strictObject({ code: z.string(), message: z.string() })),
});

export function calibrationText(calibration: Calibration): string {
  return `${JSON.stringify({ schema: schemaName, ...calibration })}\n`;
}

/** @throws CALIBRATION_MISMATCH */
export function parseCalibration(text: string, where: string): Calibration {
  let plain: unknown;
  try {
    plain = JSON.parse(text);
  } catch (error) {
    throw fail('CALIBRATION_MISMATCH', { reason: `${where} is not JSON: ${reasonOf(error)}` }, error);
  }
  const result = calibrationSchema.safeParse(plain);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw fail('CALIBRATION_MISMATCH', {
      reason: `${where}, ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong'}`,
    });
  }
  const { schema: _, ...calibration } = result.data;
  return calibration;
}
