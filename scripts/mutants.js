// Mutation testing: changes one operator, comparison, condition or returned value of src/FOLDER at a time and runs
// test/unit/FOLDER. A change that no test notices survives; each survivor is printed with its place. Results are kept
// in reports/mutants, so that a second run tests only what has changed.
//
//   npm run mutants -- FOLDER[/FILE.ts]...    for example: npm run mutants -- optimize/passes
//
// Exits with 1 if fewer than 80 % of the changes of a place are noticed.

import { existsSync, statSync } from 'node:fs';
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

const places = process.argv.slice(2);
if (places.length === 0 || places.some((place) => !existsSync(path.join('src', place)))) {
  console.error('usage: npm run mutants -- FOLDER[/FILE.ts]..., places in src, for example optimize/passes');
  process.exit(2);
}
// Tests look for it beside the repository, but run in a sandbox.
process.env.ATOLL_SHARED ??= path.resolve('../shared');
let failed = false;
for (const place of places) failed = !(await judge(place)) || failed;
process.exit(failed ? 1 : 0);

/** @returns whether enough changes are noticed */
async function judge(place) {
  process.env.ATOLL_MUTANTS_TESTS = testsOf(place);
  const results = await new Stryker({
    mutate: sourcesOf(place),
    mutator: { excludedMutations },
    testRunner: 'vitest',
    vitest: { configFile: 'test/support/mutants.config.ts', related: false },
    coverageAnalysis: 'perTest',
    incremental: true,
    incrementalFile: `reports/mutants/${place.replaceAll('/', '-')}.json`,
    reporters: ['progress-append-only'],
    tempDirName: `reports/mutants/sandbox-${process.pid}`,
    ignorePatterns: ['/.git', '/docs', '/firmware-protocol/c/build', '/examples/digits/data', '/reports'],
    concurrency: Number(process.env.ATOLL_MUTANTS_PROCESSES ?? 2),
    timeoutMS: 10_000,
    disableTypeChecks: false,
    allowConsoleColors: false,
  }).runMutationTest();
  const noticed = results.filter(({ status }) => status === 'Killed' || status === 'Timeout');
  const survivors = results.filter(({ status }) => status === 'Survived' || status === 'NoCoverage');
  for (const { fileName, location, replacement, mutatorName, status } of survivors)
    console.log(
      `${path.relative('.', fileName)}:${location.start.line}:${location.start.column} ${mutatorName} ` +
        `${status === 'NoCoverage' ? '(no test runs it) ' : ''}-> ${replacement ?? ''}`,
    );
  const total = noticed.length + survivors.length;
  const share = noticed.length / total;
  console.log(`${place}: ${noticed.length} of ${total} changes noticed, ${(100 * share).toFixed(1)} %`);
  return share >= requiredShare;
}

function sourcesOf(place) {
  return statSync(path.join('src', place)).isDirectory() ? [`src/${place}/**/*.ts`] : [`src/${place}`];
}

/** The nearest folder of unit tests: tests mirror src. */
function testsOf(place) {
  for (let folder = place; folder !== '.'; folder = path.dirname(folder)) {
    const tests = path.join('test/unit', folder);
    if (existsSync(tests) && statSync(tests).isDirectory()) return tests;
  }
  return 'test/unit';
}
