// Mutation testing: changes one operator, comparison, condition or returned value of src/FOLDER at a time and runs
// test/unit/FOLDER. A change that no test notices survives; each survivor is printed with its place. Results are kept
// in reports/mutants, so a second run tests only what has changed.
//
//   npm run mutants -- FOLDER[/FILE.ts]    for example: npm run mutants -- optimize/passes
//
// Exits with 1 if fewer than 80 % of the changes are noticed.

import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Stryker } from '@stryker-mutator/core';

const requiredShare = 0.8;

/** What is not changed: texts and shapes of literals, of which tests rightly promise little. */
const excludedMutations = [
  'ArrayDeclaration',
  'BlockStatement',
  'MethodExpression',
  'ObjectLiteral',
  'OptionalChaining',
  'Regex',
  'StringLiteral',
];

const place = process.argv[2];
if (place === undefined || !existsSync(path.join('src', place))) {
  console.error('usage: npm run mutants -- FOLDER[/FILE.ts], a place in src, for example optimize/passes');
  process.exit(2);
}
process.env.ATOLL_MUTANTS_TESTS = testsOf(place);
// Tests look for it beside the repository, but run in a sandbox.
process.env.ATOLL_SHARED ??= path.resolve('../shared');
const results = await new Stryker({
  mutate: statSync(path.join('src', place)).isDirectory() ? [`src/${place}/**/*.ts`] : [`src/${place}`],
  mutator: { excludedMutations },
  testRunner: 'vitest',
  vitest: { configFile: 'test/support/mutants.config.ts', related: false },
  coverageAnalysis: 'perTest',
  incremental: true,
  incrementalFile: `reports/mutants/${place.replaceAll('/', '-')}.json`,
  reporters: ['progress-append-only'],
  tempDirName: 'reports/mutants/sandbox',
  ignorePatterns: ['/.git', '/docs', '/firmware-protocol/c/build', '/examples/digits/data', '/reports'],
  concurrency: 2,
  timeoutMS: 10_000,
  disableTypeChecks: false,
  allowConsoleColors: false,
}).runMutationTest();

const noticed = results.filter(({ status }) => status === 'Killed' || status === 'Timeout');
const missed = results.filter(({ status }) => status === 'Survived' || status === 'NoCoverage');
for (const { fileName, location, replacement, mutatorName, status } of missed)
  console.log(
    `${path.relative('.', fileName)}:${location.start.line + 1}:${location.start.column + 1} ${mutatorName} ` +
      `${status === 'NoCoverage' ? '(no test runs it) ' : ''}-> ${replacement ?? ''}`,
  );
const share = noticed.length / (noticed.length + missed.length);
console.log(
  `${place}: ${noticed.length} of ${noticed.length + missed.length} changes noticed, ${(100 * share).toFixed(1)} %`,
);
process.exitCode = share < requiredShare ? 1 : 0;

/** The nearest folder of unit tests: tests mirror src, some for a whole folder. */
function testsOf(changed) {
  for (let folder = changed; folder !== '.'; folder = path.dirname(folder)) {
    const tests = path.join('test/unit', folder);
    if (existsSync(tests) && statSync(tests).isDirectory() && readdirSync(tests).length > 0) return tests;
  }
  return 'test/unit';
}
