import { sha256Hex } from '../base/hashes.js';
import type { Runner, RunResult } from './runner.js';

/** Limit on the outputs that are kept; the oldest are dropped. */
const maxKeptBytes = 256 * 2 ** 20;

/** A runner that returns the kept result for a sample it has run before. */
export function memoizeRunner(runner: Runner, maxBytes = maxKeptBytes): Runner {
  // With state, a result depends on earlier samples too.
  if (runner.state !== 'none') return runner;
  const kept = new Map<string, RunResult>();
  let keptBytes = 0;
  return {
    ...runner,
    run: async (sample, signal) => {
      const key = sha256Hex(sample);
      const known = kept.get(key);
      if (known !== undefined) return known;
      const result = await runner.run(sample, signal);
      if (!kept.has(key)) keptBytes += result.output.byteLength;
      kept.set(key, result);
      for (const [oldest, { output }] of kept) {
        if (keptBytes <= maxBytes) break;
        kept.delete(oldest);
        keptBytes -= output.byteLength;
      }
      return result;
    },
  };
}
