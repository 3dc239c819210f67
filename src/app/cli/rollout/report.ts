import { fail } from '../../../base/errors.js';
import { summarize } from '../../../fleet/index.js';
import type { Context, Outcome } from '../verb.js';
import { writeReports } from './lead.js';
import type { RolloutOptions } from './options.js';
import { findRollout, withStore } from './store.js';

export function reportRollout(
  _context: Context,
  name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  if ([options.html, options.markdown, options.junit].every((file) => file === undefined))
    throw fail('USAGE', { reason: 'choose an output: --html FILE, --markdown FILE, --junit FILE' });
  return withStore(options, async (store) => {
    const row = await findRollout(store, name, options);
    const files = await writeReports(store, row, await summarize(store, row), options);
    return { document: { rollout: row.name, files }, text: files.map((file) => `wrote ${file}`).join('\n') };
  });
}
