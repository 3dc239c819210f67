// Scores the float and the quantized model on the same samples.

import type { Evaluation, Scored } from '../../evaluate/index.js';
import type { Model } from '../../formats/tflite/index.js';
import type { Context } from './verb.js';

interface ScoredModel {
  readonly evaluation: Evaluation;
  readonly scored: Scored;
}

export interface PairedScores {
  readonly float: ScoredModel;
  readonly quantized: ScoredModel;
}

/** @param limit maximum number of samples of the dataset file */
export async function pairedScores(
  { signal, progress }: Context,
  models: { readonly float: Model; readonly quantized: Model },
  { data, limit }: { readonly data: string; readonly limit?: number | undefined },
): Promise<PairedScores> {
  const [{ evaluateScored, hostRunner }, { openDataset }] = await Promise.all([
    import('../../evaluate/index.js'),
    import('../../data/index.js'),
  ]);
  const dataset = await openDataset(data);
  const score = (model: Model, step: string): Promise<ScoredModel> =>
    evaluateScored(hostRunner(model), dataset, {
      signal,
      onProgress: (value) => progress.update({ ...value, step }),
      ...(limit === undefined ? {} : { limit }),
    });
  return {
    float: await score(models.float, 'evaluate float'),
    quantized: await score(models.quantized, 'evaluate quantized'),
  };
}
