// For `npm run mutants`: the unit tests of one folder, or all. The rules for source files do not apply to changed ones.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [`${process.env.ATOLL_MUTANTS_TESTS ?? 'test/unit'}/**/*.test.ts`],
    exclude: ['test/unit/conventions.test.ts'],
    testTimeout: 60_000,
  },
});
