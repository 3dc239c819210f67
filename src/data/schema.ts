// The schema of the dataset file. docs/dataset.md describes it for users.

import { z } from 'zod';

const positive = z.number().int().positive();
const perChannel = z.union([z.number(), z.array(z.number()).min(1)]);

export const diskTypes = ['float32', 'float64', 'int8', 'uint8', 'int16', 'int32', 'int64'] as const;
export type DiskType = (typeof diskTypes)[number];

const imageSchema = z.strictObject({
  resize: z
    .strictObject({
      width: positive,
      height: positive,
      fit: z.enum(['crop', 'stretch', 'pad']).default('crop'),
      kernel: z.enum(['nearest', 'bilinear', 'bicubic', 'lanczos3']).default('bilinear'),
    })
    .optional(),
  range: z.tuple([z.number(), z.number()]).optional(),
  mean: perChannel.optional(),
  std: perChannel.optional(),
  channels: z.enum(['rgb', 'bgr', 'gray']).default('rgb'),
});

const sourceSchema = z.strictObject({
  name: z.string().optional(),
  files: z.union([z.string(), z.array(z.string()).min(1)]),
  type: z.enum(diskTypes).optional(),
  shape: z.array(positive).optional(),
  quantization: z.strictObject({ scale: z.number().positive(), zeroPoint: z.number().int() }).optional(),
  images: imageSchema.optional(),
});

const labelsSchema = z.union([
  z.literal('folders'),
  z.string().regex(/\.npy$|\.npz(#.*)?$/, 'must be "folders", a .npy or .npz file, or {csv: ...}'),
  z.strictObject({
    csv: z.string(),
    header: z.boolean().default(false),
    file: z.number().int().nonnegative().optional(),
    label: z.number().int().nonnegative().default(0),
  }),
]);

export const datasetSchema = z.strictObject({
  name: z.string().min(1),
  task: z.enum(['classification', 'anomaly', 'regression', 'none']),
  inputs: z.array(sourceSchema).min(1),
  labels: labelsSchema.optional(),
  classes: z.array(z.string()).min(2).optional(),
  targets: z.array(sourceSchema).min(1).optional(),
  windows: z
    .strictObject({
      length: positive,
      stride: positive,
      score: z.literal('mse'),
      aggregate: z.enum(['mean', 'max']).default('mean'),
    })
    .optional(),
  output: z.string().min(1).optional(),
  signature: z.string().min(1).optional(),
  layout: z.enum(['nhwc', 'nchw']).default('nhwc'),
  state: z.enum(['per-sample', 'per-file']).optional(),
  metric: z.enum(['top1', 'top5', 'auc', 'mse', 'snr']).optional(),
  limit: positive.optional(),
  seed: z.number().int().nonnegative().default(0),
});

/** A list has one document for each signature of a model. */
export const datasetsSchema = z.array(datasetSchema).min(1);

/** Content of a dataset file. */
export type DatasetFile = z.infer<typeof datasetSchema>;
export type SourceFile = z.infer<typeof sourceSchema>;
export type LabelsFile = z.infer<typeof labelsSchema>;
export type ImageOptions = z.infer<typeof imageSchema>;
/** Metrics: shares between 0 and 1 (top1, top5, auc), mean squared error, or a signal-to-noise ratio in dB. */
export type Metric = NonNullable<DatasetFile['metric']>;
/** How one file is divided into windows, and how their scores are combined. */
export type Windows = NonNullable<DatasetFile['windows']>;
