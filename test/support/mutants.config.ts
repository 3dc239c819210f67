// For `npm run mutants`: only the unit tests that mirror the changed folder.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: [`${process.env.ATOLL_MUTANTS_TESTS ?? 'test/unit'}/**/*.test.ts`], testTimeout: 60_000 },
});
