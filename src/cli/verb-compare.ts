import { fail } from '../errors.js';
import type { GateResult, Limits } from '../evaluate/index.js';
import type { Model } from '../tflite/index.js';
import { limitOptions, limitsOf, maxDropOption } from './gate-options.js';
import { junitOption } from './junit.js';
import { positiveInteger, refuseOverwriting } from './options.js';
import type { Context, Verb } from './verb.js';

export const compareVerb: Verb = {
  name: 'compare',
  summary: 'float against quantized, tensor by tensor: what is lost where, and what to do about it',
  define: (command) => {
    junitOption(limitOptions(maxDropOption(command)))
      .argument('<float>', 'the float .tflite file')
      .argument('<quantized>', 'the file that was made from it')
      .requiredOption('--data <dataset>', 'dataset file; labels are needed for --max-drop and --min only')
      .option('--limit <n>', "use at most so many samples, drawn by the dataset's seed", positiveInteger)
      .option('--target <target>', 'where --max-latency-ms and --max-arena-bytes are judged')
      .option('--html <file>', 'also write a page with plots');
  },
  run: async (context, [first = '', second = ''], options) => {
    const [{ compare }, { openDataset }, { readBytes, writeAtomically }, { readModel }, { compareReport, comparePage, gateCases }] = await Promise.all([
      import('../evaluate/index.js'),
      import('../dataset/index.js'),
      import('../files/index.js'),
      import('../tflite/index.js'),
      import('../report/index.js'),
    ]);
    const page = options.html === undefined ? null : String(options.html);
    if (page !== null) refuseOverwriting(page, [first, second, options.data]);
    const files = { first, second };
    const [float, quantized] = [readModel(await readBytes(first), first), readModel(await readBytes(second), second)];
    const data = String(options.data);
    const limit = options.limit === undefined ? {} : { limit: options.limit as number };
    const gates = await gatesOf(context, float, quantized, { data, limit, limits: limitsOf(options), target: options.target });
    const result = await compare(float, quantized, await openDataset(data), {
      signal: context.signal,
      onProgress: (progress) => context.progress.update('compare', progress),
      ...limit,
    });
    if (page !== null) await writeAtomically(page, new TextEncoder().encode(comparePage(result, files)));
    const lines = [
      compareReport(result),
      ...(gates.length === 0 ? [] : ['', ...gates.map(({ gate, passed, message }) => `limit ${gate} ${passed ? 'kept' : 'NOT KEPT'}: ${message}`)]),
      ...(page === null ? [] : ['', `wrote ${page}`]),
    ];
    return {
      document: { files, ...result, gates },
      text: lines.join('\n'),
      cases: [{ name: 'compare', failure: null }, ...gateCases(gates)],
      exitCode: gates.every(({ passed }) => passed) ? 0 : 1,
    };
  },
};

interface Judged {
  readonly data: string;
  readonly limit: { readonly limit?: number };
  readonly limits: Limits;
  readonly target: unknown;
}

/** Of the limits that were given. @throws USAGE where a limit is about what is not known */
async function gatesOf(context: Context, float: Model, quantized: Model, { data, limit, limits, target }: Judged): Promise<GateResult[]> {
  const [{ costGates, dropGate, evaluateScored, hostRunner, minGate }, { openDataset }] = await Promise.all([
    import('../evaluate/index.js'),
    import('../dataset/index.js'),
  ]);
  const { maxDrop, min, maxLatencyMs, maxArenaBytes } = limits;
  if (target === undefined && (maxLatencyMs ?? maxArenaBytes) !== undefined)
    throw fail('USAGE', { reason: '--max-latency-ms and --max-arena-bytes need --target' });
  const gates: GateResult[] = [];
  if (maxDrop !== undefined || min !== undefined) {
    const measure = async (model: Model, step: string) =>
      evaluateScored(hostRunner(model), await openDataset(data), {
        signal: context.signal,
        onProgress: (progress) => context.progress.update(step, progress),
        ...limit,
      });
    const before = await measure(float, 'evaluate float');
    const after = await measure(quantized, 'evaluate quantized');
    if (maxDrop !== undefined) gates.push(dropGate(limits, before.scored, after.scored));
    if (min !== undefined) gates.push(minGate(min, after.scored));
  }
  if (target === undefined) return gates;
  const { checkModel, loadTarget } = await import('../targets/index.js');
  const { latencyMs, memory } = checkModel(quantized, await loadTarget(String(target)), 0);
  return [...gates, ...costGates(limits, latencyMs?.value ?? null, memory.arenaBytes)];
}
