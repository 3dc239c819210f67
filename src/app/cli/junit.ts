// Writes the JUnit report of a verb, also when the verb fails with an error.

import { AtollError } from '../../base/errors.js';
import type { JunitCase } from '../report/index.js';
import type { Outcome } from './verb.js';

/** Errors that are not a verdict on the model. */
const noVerdicts: ReadonlySet<string> = new Set(['INTERRUPTED', 'USAGE']);

/** Runs a verb and writes its report. @param file null: no report */
export async function withJunit(verb: string, file: string | null, run: () => Promise<Outcome>): Promise<Outcome> {
  if (file === null) return run();
  const start = performance.now();
  const write = async (cases: readonly JunitCase[]): Promise<void> => {
    const [{ junitReport }, { writeAtomically }] = await Promise.all([
      import('../report/index.js'),
      import('../../base/files/index.js'),
    ]);
    const milliseconds = performance.now() - start;
    await writeAtomically(
      file,
      junitReport({ name: `atoll ${verb}`, className: `atoll.${verb}`, cases, milliseconds, at: Date.now() }),
    );
  };
  let outcome: Outcome;
  try {
    outcome = await run();
  } catch (error) {
    if (error instanceof AtollError && !noVerdicts.has(error.code))
      await write([{ name: verb, failure: `${error.code}: ${error.message}` }]);
    throw error;
  }
  await write(outcome.cases ?? []);
  return outcome;
}
