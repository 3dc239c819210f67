import type { GateResult, Limits } from '../../evaluate/index.js';
import type { Model } from '../../formats/tflite/index.js';
import { withActions } from '../advice/compare-advice.js';
import { limitOptions, limitsOf, maxDropOption, requireTargetForCosts } from './gate-options.js';
import { readModelFile } from './model-file.js';
import { positiveInteger, refuseOverwriting } from './options.js';
import { pairedScores } from './paired-scores.js';
import { type Context, defineVerb } from './verb.js';

export const compareVerb = defineVerb({
  name: 'compare',
  writesJunit: true,
  summary: 'compare a quantized model with the float one, tensor by tensor, and suggest improvements',
  define: (command) =>
    limitOptions(maxDropOption(command))
      .argument('<float>', 'the float model: a .tflite file, or one that convert takes')
      .argument('<quantized>', 'the quantized model made from it')
      .requiredOption('--data <dataset>', 'dataset file; labels are needed for --max-drop and --min only')
      .option('--limit <n>', "maximum number of samples, drawn with the dataset's seed", positiveInteger)
      .option('--target <target>', 'target for --max-latency-ms and --max-arena-bytes')
      .option('--html <file>', 'also write a page with plots'),
  run: async (context, [first, second], options) => {
    const [{ compare }, { openDataset }, { writeAtomically }, { compareReport, comparePage, gateCases, gateLines }] =
      await Promise.all([
        import('../../evaluate/index.js'),
        import('../../data/index.js'),
        import('../../base/files/index.js'),
        import('../report/index.js'),
      ]);
    const page = options.html ?? null;
    if (page !== null) refuseOverwriting(page, [first, second, options.data]);
    const files = { first, second };
    const { model: float } = await readModelFile(context, first);
    const { model: quantized } = await readModelFile(context, second);
    const data = options.data;
    const limit = options.limit;
    const gates = await gatesOf(context, float, quantized, {
      data,
      limit,
      limits: limitsOf(options),
      target: options.target,
    });
    const result = await compare(float, quantized, await openDataset(data), {
      signal: context.signal,
      onProgress: context.progress.update,
      ...(limit === undefined ? {} : { limit }),
    });
    if (page !== null) await writeAtomically(page, new TextEncoder().encode(comparePage(result, files)));
    const lines = [
      compareReport(result),
      ...(gates.length === 0 ? [] : ['', ...gateLines(gates)]),
      ...(page === null ? [] : ['', `wrote ${page}`]),
    ];
    return {
      document: { files, ...result, worst: withActions(result.worst), gates },
      text: lines.join('\n'),
      cases: [{ name: 'compare', failure: null }, ...gateCases(gates)],
      exitCode: gates.every(({ passed }) => passed) ? 0 : 1,
    };
  },
});

interface Judged {
  readonly data: string;
  readonly limit: number | undefined;
  readonly limits: Limits;
  readonly target: unknown;
}

/** Judges the given limits. @throws USAGE if a limit needs an option that is absent */
async function gatesOf(
  context: Context,
  float: Model,
  quantized: Model,
  { data, limit, limits, target }: Judged,
): Promise<GateResult[]> {
  requireTargetForCosts(limits, target);
  const { costGates, dropGate, minGate } = await import('../../evaluate/index.js');
  const { maxDrop, min } = limits;
  const gates: GateResult[] = [];
  if (maxDrop !== undefined || min !== undefined) {
    const scores = await pairedScores(context, { float, quantized }, { data, limit });
    if (maxDrop !== undefined) gates.push(dropGate(limits, scores.float.scored, scores.quantized.scored));
    if (min !== undefined) gates.push(minGate(min, scores.quantized.scored));
  }
  if (target === undefined) return gates;
  const { checkModel, loadTarget } = await import('../../targets/index.js');
  const { latencyMs, memory } = checkModel(quantized, await loadTarget(String(target)), 0);
  return [...gates, ...costGates(limits, latencyMs?.value ?? null, memory.arenaBytes)];
}
